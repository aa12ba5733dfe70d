import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface PartitionRow {
  oid: string;
  schema: string;
  name: string;
  kind: 'r' | 'p' | 'f';
  parent_oid: string;
  parent_schema: string;
  parent: string;
  bound: string;
}

/** Partitions are attached while they are empty: nothing has to be looked through. */
export const readPartitions: KindReader = async ({ client }) => {
  const { rows } = await client.query<PartitionRow>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, p.oid AS parent_oid,
      pn.nspname AS parent_schema, p.relname AS parent, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND ${inUserSchema('pg_class', 'c.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row): DescribedObject => {
    const parent = quoteTable({ schema: row.parent_schema, name: row.parent });
    return {
      key: `pg_class:${row.oid}/partition`,
      section: 'pre-data',
      kind: 'partition',
      schema: row.schema,
      name: row.name,
      table: row.kind === 'f' ? null : { schema: row.schema, name: row.name },
      sql: `ALTER TABLE ONLY ${parent} ATTACH PARTITION ${quoteTable(row)} ${row.bound}`,
      of: `pg_class:${row.oid}`,
      needs: [`pg_class:${row.parent_oid}`],
    };
  });
};
