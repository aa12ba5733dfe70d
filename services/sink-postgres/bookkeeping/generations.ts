import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { columnsOf, mine, NO_GENERATION } from './table-loads.ts';
import type { SinkIdentity } from './tables.ts';

export interface NewGeneration {
  readonly table: TableName;
  readonly generation: bigint;
  /** Rows are gathered there: the table itself was there before, with rows that stay. */
  readonly staging?: TableName | null;
  /** What else the empty table needs, in the same transaction. */
  readonly prepare?: (client: pg.Client) => Promise<unknown>;
}

/**
 * Begins the load of a generation, in one transaction: what an older one brought is removed with its ledger.
 * False: the table has this generation, or a newer one.
 * @throws SluiceError DESTINATION_TABLE_NOT_EMPTY when rows of somebody else are in the way
 */
export async function startGeneration(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { table, generation, staging = null, prepare = async () => undefined }: NewGeneration,
): Promise<boolean> {
  const names = [task, sink, table.schema, table.name];
  await client.query('BEGIN');
  try {
    const locked = `SELECT generation, state FROM sluice.table_load WHERE ${mine} FOR UPDATE`;
    const { rows } = await client.query<{ generation: string; state: string }>(locked, names);
    const current = BigInt(rows[0]?.generation ?? NO_GENERATION);
    if (current >= generation) {
      await client.query('ROLLBACK');
      return false;
    }
    if (staging) await emptyStaging(client, { table, staging, merged: rows[0]?.state === 'loaded' });
    else if (current === NO_GENERATION) await refuseRows(client, [table]);
    else await emptyTable(client, table);
    await prepare(client);
    await client.query(`DELETE FROM sluice.chunk WHERE ${mine}`, names);
    await client.query(
      `UPDATE sluice.table_load SET generation = $5, state = 'loading', rows = 0, chunks = 0, staging = $6, row_key = NULL,
         updated_at = now()
       WHERE ${mine}`,
      [...names, generation, staging?.name ?? null],
    );
    await client.query('COMMIT');
    return true;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * The same for many tables, in one transaction, as far as no row was ever loaded into them: gives these. The others
 * are left as they are.
 * @throws SluiceError DESTINATION_TABLE_NOT_EMPTY
 */
export async function startFirstGenerations<Read extends { readonly table: TableName; readonly generation: bigint }>(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  reads: readonly Read[],
): Promise<Read[]> {
  await client.query('BEGIN');
  try {
    const { rows } = await client.query<{ schema: string; name: string }>(
      `UPDATE sluice.table_load AS l SET generation = r.generation, state = 'loading', rows = 0, chunks = 0,
         staging = NULL, row_key = NULL, updated_at = now()
       FROM unnest($3::text[], $4::text[], $5::bigint[]) AS r(schema, name, generation)
       WHERE l.task = $1 AND l.sink = $2 AND l.schema_name = r.schema AND l.table_name = r.name
         AND l.generation = ${NO_GENERATION}
       RETURNING r.schema, r.name`,
      [task, sink, ...columnsOf(reads)],
    );
    for (let at = 0; at < rows.length; at += LOOKED_INTO) await refuseRows(client, rows.slice(at, at + LOOKED_INTO));
    await client.query('COMMIT');
    const started = new Set(rows.map(tableKey));
    return reads.filter(({ table }) => started.has(tableKey(table)));
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Rows that were merged cannot be told any more from those that were there before. */
async function emptyStaging(
  client: pg.Client,
  { table, staging, merged }: { readonly table: TableName; readonly staging: TableName; readonly merged: boolean },
): Promise<void> {
  if (merged) throw new SluiceError('DESTINATION_RELOAD_NEEDED', `${quoteTable(table)} was read anew at the source`);
  await client.query(`DROP TABLE IF EXISTS ${quoteTable(staging)}`);
}

/** Tables of one statement. */
const LOOKED_INTO = 100;

async function refuseRows(client: pg.Client, tables: readonly TableName[]): Promise<void> {
  const looks = tables.map((table, i) => `SELECT ${i} AS i WHERE EXISTS (SELECT FROM ONLY ${quoteTable(table)})`);
  const { rows } = await client.query<{ i: string }>(`${looks.join(' UNION ALL ')} LIMIT 1`);
  const table = tables[Number(rows[0]?.i ?? -1)];
  if (!table) return;
  throw new SluiceError('DESTINATION_TABLE_NOT_EMPTY', `${quoteTable(table)} holds rows at the destination already`);
}

/** TRUNCATE is refused where a foreign key points at the table. */
async function emptyTable(client: pg.Client, table: TableName): Promise<void> {
  await client.query('SAVEPOINT empty');
  try {
    await client.query(`TRUNCATE TABLE ONLY ${quoteTable(table)}`);
  } catch (error) {
    if (sqlstate(error) !== '0A000') throw error;
    await client.query('ROLLBACK TO SAVEPOINT empty');
    await client.query(`DELETE FROM ONLY ${quoteTable(table)}`);
  }
}
