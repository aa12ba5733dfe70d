import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

export const readSchemas: KindReader = async ({ client }) => {
  const { rows } = await client.query<{ oid: string; name: string }>(
    `SELECT n.oid, n.nspname AS name FROM pg_namespace n WHERE ${inUserSchema('pg_namespace', 'n.oid')} ORDER BY 2`,
  );
  return rows.map(({ oid, name }) => ({
    key: `pg_namespace:${oid}`,
    section: 'pre-data',
    kind: 'schema',
    schema: name,
    name,
    table: null,
    sql: `CREATE SCHEMA ${quoteIdentifier(name)}`,
    target: `SCHEMA ${quoteIdentifier(name)}`,
  }));
};
