import { createHash } from 'node:crypto';
import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteIdentifier, quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { readDestinationTable } from '../apply/destination-catalog.ts';
import type { DestinationTable } from '../apply/target.ts';
import type { SinkIdentity } from '../bookkeeping/tables.ts';

/**
 * Rows for a table that was there before the task. They are gathered in a table of schema sluice and added at the end
 * of all first reads, so that a read that is taken again never has to tell its rows from those that were there.
 */
export function stagingOf({ task, sink }: SinkIdentity, table: TableName): TableName {
  const name = createHash('sha256')
    .update(JSON.stringify([task, sink, table.schema, table.name]))
    .digest('hex');
  return { schema: 'sluice', name: `staging_${name.slice(0, 32)}` };
}

export async function dropStaging(client: pg.Client, staging: TableName): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${quoteTable(staging)}`);
}

/**
 * In the transaction of a chunk: makes the staging table of what the chunk carries, if it is the first one.
 * Its columns have the types of the table's, and nothing else of it.
 */
export async function openStaging(
  client: pg.Client,
  staging: TableName,
  { table, columns }: { readonly table: TableName; readonly columns: readonly string[] },
): Promise<void> {
  if (await exists(client, staging)) return;
  await client.query('SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))', ['sluice.staging', staging.name]);
  if (await exists(client, staging)) return;
  const list = columns.map(quoteIdentifier).join(', ');
  await client.query(`CREATE TABLE ${quoteTable(staging)} AS SELECT ${list} FROM ${quoteTable(table)} WITH NO DATA`);
}

async function exists(client: pg.Client, staging: TableName): Promise<boolean> {
  const { rows } = await client.query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [quoteTable(staging)]);
  return rows.length > 0;
}

export interface Merge {
  readonly table: TableName;
  readonly staging: TableName;
  /** Names of the row key's columns. */
  readonly key: readonly string[];
  /** That the read has. */
  readonly rows: bigint;
}

/**
 * Adds the staged rows to the table, in the caller's transaction; a row whose key is there already is kept as it is.
 * Returns how many were added.
 * @throws SluiceError MANIFEST_BROKEN when other rows are staged than read
 */
export async function mergeStaging(client: pg.Client, { table, staging, key, rows }: Merge): Promise<bigint> {
  const found = await exists(client, staging);
  const staged = found ? await countRows(client, staging) : 0n;
  if (staged !== rows) {
    const message = `${quoteTable(table)}: ${staged} rows are staged, the read has ${rows}`;
    throw new SluiceError('MANIFEST_BROKEN', message, { context: { table: tableKey(table) } });
  }
  if (!found) return 0n;
  const destination = await readDestinationTable(client, table);
  const carried = new Set((await readDestinationTable(client, staging)).columns.map(({ name }) => name));
  const columns = destination.columns.filter(({ name, generated }) => carried.has(name) && !generated);
  const added = await client.query(insertion(destination, { staging, key, columns: columns.map(({ name }) => name) }));
  await dropStaging(client, staging);
  return BigInt(added.rowCount ?? 0);
}

async function countRows(client: pg.Client, staging: TableName): Promise<bigint> {
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${quoteTable(staging)}`);
  return BigInt(rows[0]?.count ?? 0);
}

interface Insertion {
  readonly staging: TableName;
  readonly key: readonly string[];
  readonly columns: readonly string[];
}

/** Only a row of the same key is kept: what another constraint refuses is an error, never left out. */
function insertion(table: DestinationTable, { staging, key, columns }: Insertion): string {
  const list = columns.map(quoteIdentifier).join(', ');
  const into = `INSERT INTO ${quoteTable(table)} (${list}) OVERRIDING SYSTEM VALUE`;
  const select = `SELECT ${list} FROM ${quoteTable(staging)} AS s`;
  if (key.length === 0) return `${into} ${select}`;
  const unique = table.uniqueKeys.some(
    (one) => one.columns.length === key.length && key.every((name) => one.columns.includes(name)),
  );
  if (unique) return `${into} ${select} ON CONFLICT (${key.map(quoteIdentifier).join(', ')}) DO NOTHING`;
  const same = key.map(quoteIdentifier).map((name) => `t.${name} OPERATOR(pg_catalog.=) s.${name}`);
  return `${into} ${select} WHERE NOT EXISTS (SELECT FROM ${quoteTable(table)} AS t WHERE ${same.join(' AND ')})`;
}
