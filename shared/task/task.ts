import type { PostgresEndpoint } from '../postgres/connection.ts';
import type { ConflictPolicy, ExistingMode, MigrationType } from './definition.ts';

/** A task as the services run it: resolved, validated, frozen; every secret is read already. */
export interface Task {
  readonly name: string;
  readonly source: SourceSettings;
  readonly destination: PostgresEndpoint;
  readonly sink: SinkSettings;
  readonly types: ReadonlySet<MigrationType>;
  readonly existing: ExistingMode;
  readonly selection: Selection;
  readonly schema: SchemaOptions;
  readonly kafka: KafkaSettings;
  readonly snapshotParallelism: number;
  readonly loadParallelism: number;
  readonly tuning: Tuning;
}

/** Sizes that change nothing of what is written. */
export interface Tuning {
  readonly batchEvents: number;
  readonly applyEvents: number;
  readonly checkpointBytes: number;
  readonly fold: boolean;
}

export interface SourceSettings {
  readonly endpoint: PostgresEndpoint;
  readonly replicaIdentity: 'keep' | 'full';
  readonly slotTimeoutSeconds: number;
  /** From 17 on. */
  readonly failoverSlot: boolean;
}

export interface SinkSettings {
  readonly name: string;
  /** null: everything that the capture publishes. */
  readonly tables: NameFilter | null;
  readonly conflicts: ConflictPolicy;
}

/** Patterns of names; an empty include means all. */
export interface NameFilter {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Selection {
  readonly schemas: NameFilter;
  readonly tables: NameFilter;
}

/** What of a schema is carried only when it is asked for. */
export interface SchemaOptions {
  readonly owners: boolean;
  /** Privileges, those of columns and default privileges included. */
  readonly grants: boolean;
  /** Roles of the source that have another name at the destination. */
  readonly roleMap: Readonly<Record<string, string>>;
  readonly eventTriggers: boolean;
  /** Foreign data wrappers, servers, user mappings and foreign tables. */
  readonly foreignServers: boolean;
}

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly tls: KafkaTls | null;
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  } | null;
  readonly registry: RegistrySettings;
  readonly partitions: number;
  /** null: min(3, brokers). */
  readonly replicationFactor: number | null;
  readonly maxMessageBytes: number;
}

/** PEM texts. */
export interface KafkaTls {
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly keyPassword?: string | undefined;
  readonly rejectUnauthorized: boolean;
}

export interface RegistrySettings {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly ca?: string | undefined;
}

/** Names of what a task makes at the source; at most 63 bytes, letters that a slot may have. */
export function slotName(task: string): string {
  return `sluice_${task.replaceAll('-', '_')}`;
}

export function publicationName(task: string): string {
  return slotName(task);
}

/** 'SLUI': the class of a task's advisory lock at the source; the other half is hashtext(slotName(task)). */
export const SOURCE_LOCK_CLASS = 0x534c_5549;
