import type pg from 'pg';
import type { TableName } from '../../../shared/postgres/identifiers.ts';

/** Names of relations by their oids. */
export async function readTableNames(client: pg.ClientBase, oids: readonly string[]): Promise<Map<string, TableName>> {
  const { rows } = await client.query<{ oid: string; schema: string; name: string }>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])`,
    [oids],
  );
  return new Map(rows.map(({ oid, schema, name }) => [oid, { schema, name }]));
}
