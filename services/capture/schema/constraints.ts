import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';

interface ConstraintRow {
  schema: string;
  table: string;
  name: string;
  type: 'p' | 'u' | 'x' | 'c' | 'n' | 'f';
  definition: string;
}

const constraintsSql = (condition: string) => `
  SELECT n.nspname AS schema, c.relname AS table, k.conname AS name, k.contype AS type,
    pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE k.conrelid = ANY ($1::oid[]) AND ${condition}
  ORDER BY array_position('{p,u,x,c,n}'::text[], k.contype::text), n.nspname, c.relname, k.conname`;

const kinds = { p: 'primary key', u: 'unique', x: 'exclusion', c: 'check', n: 'not null', f: 'foreign key' } as const;

/**
 * Constraints with an index. Those of partitions are created by themselves too, so that their names are the same
 * at both ends, and attached to the parent's afterwards.
 */
export const readIndexConstraints: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<ConstraintRow>(constraintsSql(`k.contype IN ('p', 'u', 'x')`), [scope.tables]);
  return rows.map((row) => describe(row, 'post-data', 'ALTER TABLE ONLY'));
};

/** Checks and not-null constraints that hold for new rows only; those of a parent go down to its children. */
export const readUnvalidatedConstraints: KindReader = async ({ client, scope }) => {
  const condition = `k.contype IN ('c', 'n') AND NOT k.convalidated AND k.conislocal AND k.coninhcount = 0`;
  const { rows } = await client.query<ConstraintRow>(constraintsSql(condition), [scope.tables]);
  return rows.map((row) => describe(row, 'post-data', 'ALTER TABLE'));
};

/** Between tables that are both carried; those of partitioned tables go down to the partitions. */
export const readForeignKeys: KindReader = async ({ client, version, scope }) => {
  const top = version >= 110_000 ? 'AND k.conparentid = 0' : '';
  const condition = `k.contype = 'f' AND k.confrelid = ANY ($1::oid[]) ${top}`;
  const { rows } = await client.query<ConstraintRow>(constraintsSql(condition), [scope.tables]);
  return rows.map((row) => describe(row, 'foreign-keys', 'ALTER TABLE'));
};

function describe(row: ConstraintRow, section: DescribedObject['section'], alter: string): DescribedObject {
  const table = { schema: row.schema, name: row.table };
  return {
    section,
    kind: kinds[row.type],
    schema: row.schema,
    name: row.name,
    table,
    sql: `${alter} ${quoteTable(table)} ADD CONSTRAINT ${quoteIdentifier(row.name)} ${row.definition}`,
  };
}
