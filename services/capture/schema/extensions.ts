import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { FIRST_USER_OID } from './user-objects.ts';

/** In the version that the destination has. */
export const readExtensions: KindReader = async ({ client }) => {
  const { rows } = await client.query<{ oid: string; name: string; schema: string }>(
    `SELECT e.oid, e.extname AS name, n.nspname AS schema
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.oid >= ${FIRST_USER_OID} ORDER BY 2`,
  );
  return rows.map(({ oid, name, schema }) => ({
    key: `pg_extension:${oid}`,
    section: 'pre-data',
    kind: 'extension',
    schema: '',
    name,
    table: null,
    sql: `CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)} WITH SCHEMA ${quoteIdentifier(schema)}`,
    target: `EXTENSION ${quoteIdentifier(name)}`,
  }));
};
