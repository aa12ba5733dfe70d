import type { Lsn } from '../postgres/lsn.ts';

/**
 * A row's values in the order of its table's columns, as PostgreSQL text; the form of values everywhere inside
 * Sluice. On the wire (avro-schema.ts, codec.ts) they are the fields of a Debezium envelope.
 */
export type Tuple = readonly ColumnValue[];

/** A TOASTed value that the WAL did not carry, or a column that is not in a key-only old tuple: nobody knows it here. */
export const UNKNOWN: unique symbol = Symbol('unknown');
export type ColumnValue = string | null | typeof UNKNOWN;

export type ReplicaIdentity = 'default' | 'nothing' | 'full' | 'index';

export interface ColumnShape {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
  /** format_type() of the column, for people and for the registry. */
  readonly type: string;
  /** Part of the row key: of the primary key, else of the replica identity's index. */
  readonly key: boolean;
}

/** A table as its events are written: the columns that the stream carries, in order. */
export interface TableShape {
  readonly schema: string;
  readonly name: string;
  readonly oid: number;
  readonly identity: ReplicaIdentity;
  readonly columns: readonly ColumnShape[];
}

export interface EventTransaction {
  /** 32-bit top-level transaction id. */
  readonly xid: number;
  readonly commitLsn: Lsn;
  /** Microseconds since 1970-01-01 UTC. */
  readonly commitTime: bigint;
}

interface EventBase {
  readonly shape: TableShape;
  readonly transaction: EventTransaction;
  /** LSN of the change itself. */
  readonly lsn: Lsn;
  /** Dense over the task, in commit order. */
  readonly position: bigint;
  /** Count of I/U/D/T/M messages of its transaction as decoded, before any filter; from 1. */
  readonly ordinal: bigint;
  /** Count of the transaction's published events, and of those of this table; from 1. */
  readonly totalOrder: bigint;
  readonly tableOrder: bigint;
}

export type ChangeEvent = EventBase & Change;

export type Change =
  | { readonly op: 'c'; readonly before: null; readonly after: Tuple }
  /** before: the old row under FULL, the old key when the key changed (others UNKNOWN), else null. */
  | { readonly op: 'u'; readonly before: Tuple | null; readonly after: Tuple }
  /** before: the old row under FULL, else the old key (others UNKNOWN). `moved`: marks the old key of a key change; a `u` follows. */
  | { readonly op: 'd'; readonly before: Tuple; readonly after: null; readonly moved: boolean }
  | { readonly op: 't'; readonly before: null; readonly after: null; readonly truncate: Truncate };

export interface Truncate {
  /** All tables of the statement that are selected; the event stands once in every partition of each. */
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
  readonly restartIdentity: boolean;
}

/** What identifies the writer, the same for all events of one attempt. */
export interface EventOrigin {
  readonly task: string;
  readonly incarnation: string;
  readonly epoch: string;
  readonly database: string;
  readonly timeline: number;
}
