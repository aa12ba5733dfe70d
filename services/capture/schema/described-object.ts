import type pg from 'pg';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import type { TableName } from '../../../shared/postgres/identifiers.ts';
import type { Scope } from './scope.ts';
import type { ColumnRow } from './table-columns.ts';

/** A schema object before it has its place in the order. */
export type DescribedObject = Omit<SchemaObject, 'number'>;

/** One that others may depend on: created in the order of the scope. */
export interface CreatedObject extends DescribedObject {
  /** As scope.ts names it. */
  readonly node: string;
}

/** Where the readers read: one session, one snapshot. */
export interface Catalog {
  readonly client: pg.ClientBase;
  /** server_version_num */
  readonly version: number;
  readonly scope: Scope;
  /** Of the tables in the scope, by their oids. */
  readonly tables: ReadonlyMap<string, TableName>;
  readonly columns: ReadonlyMap<string, readonly ColumnRow[]>;
}

/** Reads the objects of one kind that are in the scope. */
export type KindReader<T extends DescribedObject = DescribedObject> = (catalog: Catalog) => Promise<T[]>;
