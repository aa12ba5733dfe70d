import type pg from 'pg';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import type { TableName } from '../../../shared/postgres/identifiers.ts';
import type { SchemaOptions } from '../../../shared/task/task.ts';

/**
 * A schema object before it has its place in the order.
 * Its key is its catalog and oid, `pg_class:16385`; that of a setting of it has a suffix: `pg_class:16385/clustering`.
 */
export interface DescribedObject
  extends Pick<SchemaObject, 'section' | 'kind' | 'schema' | 'name' | 'table' | 'sql' | 'columns'> {
  readonly key: string;
  /** As COMMENT ON names it, its class first: `TABLE "a"."b"`. */
  readonly target?: string;
  /** Keys of catalog entries that are made with it. */
  readonly covers?: readonly string[];
  /** Key of the relation that it belongs to: selected with it, created after it. */
  readonly of?: string;
  /** Keys of what it needs beyond what pg_depend says. */
  readonly needs?: readonly string[];
  /** Of a partition the tables above it, nearest first; of a sequence the table that owns it. */
  readonly lineage?: readonly TableName[];
  readonly leftOut?: string;
  /** What can be said of it later, where it needs what needs the object itself. */
  readonly parts?: readonly Part[];
  /** Parts, by their keys, that are said later in any case; who needs one of them needs it by name. */
  readonly later?: readonly string[];
  /** Its SQL when these parts, by their keys, are said later. */
  readonly without?: (parts: ReadonlySet<string>) => string;
}

export interface Part {
  readonly key: string;
  readonly kind: string;
  readonly name: string;
  readonly sql: string;
  /** Keys of catalog entries whose needs are the part's. */
  readonly covers?: readonly string[];
  /** Keys of what it needs beyond its object. */
  readonly needs?: readonly string[];
}

/** Where the readers read: one session, one snapshot. */
export interface Catalog {
  readonly client: pg.ClientBase;
  /** server_version_num */
  readonly version: number;
  readonly options: SchemaOptions;
}

/** Reads the objects of one kind, in order of names. */
export type KindReader = (catalog: Catalog) => Promise<DescribedObject[]>;
