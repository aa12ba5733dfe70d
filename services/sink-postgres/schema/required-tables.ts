import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';

/** @throws SluiceError DESTINATION_TABLE_MISSING naming every table that is not there. */
export async function requireTables(client: pg.Client, tables: readonly TableName[]): Promise<void> {
  const existing = await tablesThatExist(client, tables);
  const names = tables.map(tableKey).filter((key) => !existing.has(key));
  if (names.length > 0) {
    throw new SluiceError('DESTINATION_TABLE_MISSING', `the destination lacks the tables ${names.join(', ')}`);
  }
}

/** Of the given names those under which a relation stands. */
async function tablesThatExist(client: pg.Client, tables: readonly TableName[]): Promise<Set<string>> {
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN unnest($1::text[], $2::text[]) AS t(schema, name) ON t.schema = n.nspname AND t.name = c.relname`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  return new Set(rows.map(tableKey));
}
