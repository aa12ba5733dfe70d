import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';

interface PartitionRow {
  schema: string;
  name: string;
  parent_schema: string;
  parent: string;
  bound: string;
}

/** Partitions are attached while they are empty: nothing has to be looked through. */
export const readPartitions: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<PartitionRow>(
    `SELECT n.nspname AS schema, c.relname AS name, pn.nspname AS parent_schema, p.relname AS parent,
      pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE c.relispartition AND c.oid = ANY ($1::oid[]) AND p.oid = ANY ($1::oid[])
    ORDER BY 1, 2`,
    [scope.tables],
  );
  return rows.map((row): DescribedObject => {
    const parent = quoteTable({ schema: row.parent_schema, name: row.parent });
    return {
      section: 'pre-data',
      kind: 'partition',
      schema: row.schema,
      name: row.name,
      table: { schema: row.schema, name: row.name },
      sql: `ALTER TABLE ONLY ${parent} ATTACH PARTITION ${quoteTable(row)} ${row.bound}`,
    };
  });
};
