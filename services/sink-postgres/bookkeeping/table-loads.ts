import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import type { SinkIdentity } from './tables.ts';

/** How far the load of each table is; the ledger of chunks says which of them are in the table. */
export interface TableLoad extends TableName {
  /** The read that the rows come from; null before the first. */
  readonly generation: bigint | null;
  readonly state: 'pending' | 'loading' | 'loaded';
}

/** Before the first. */
export const NO_GENERATION = -1n;
/** The row of a table, by parameters 1 to 4. */
export const mine = 'task = $1 AND sink = $2 AND schema_name = $3 AND table_name = $4';

/** By tableKey. */
export async function readTableLoads(client: pg.Client, { task, sink }: SinkIdentity): Promise<Map<string, TableLoad>> {
  const { rows } = await client.query<Record<'schema_name' | 'table_name' | 'generation' | 'state', string>>(
    'SELECT schema_name, table_name, generation, state FROM sluice.table_load WHERE task = $1 AND sink = $2',
    [task, sink],
  );
  const loads = rows.map(({ schema_name: schema, table_name: name, generation, state }): TableLoad => {
    const number = BigInt(generation);
    return {
      schema,
      name,
      generation: number === NO_GENERATION ? null : number,
      state: state as TableLoad['state'],
    };
  });
  return new Map(loads.map((load) => [tableKey(load), load]));
}

/** Makes the tables known as to be loaded. */
export async function expectTables(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  tables: readonly TableName[],
): Promise<void> {
  await client.query(
    `INSERT INTO sluice.table_load (task, sink, schema_name, table_name, generation, state)
     SELECT $1, $2, t.schema, t.name, ${NO_GENERATION}, 'pending' FROM unnest($3::text[], $4::text[]) AS t(schema, name)
     ON CONFLICT DO NOTHING`,
    [task, sink, tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
}

export interface ChunkIdentity {
  readonly table: TableName;
  readonly generation: bigint;
  readonly chunk: number;
}

/**
 * First in the transaction that loads a chunk. False: it is loaded already, or its generation is no longer the
 * table's. The generation cannot change until the transaction ends.
 */
export async function claimChunk(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { table, generation, chunk, rows }: ChunkIdentity & { readonly rows: number },
): Promise<boolean> {
  const names = [task, sink, table.schema, table.name];
  const { rowCount } = await client.query({
    name: 'sluice-chunk',
    text: `WITH load AS (
        SELECT FROM sluice.table_load WHERE ${mine} AND generation = $5 AND state = 'loading' FOR KEY SHARE)
      INSERT INTO sluice.chunk (task, sink, schema_name, table_name, generation, chunk, rows)
      SELECT $1, $2, $3, $4, $5, $6, $7 FROM load ON CONFLICT DO NOTHING`,
    values: [...names, generation, chunk, rows],
  });
  return rowCount === 1;
}

export interface Totals {
  readonly chunks: number;
  readonly rows: bigint;
}

/** A read that is complete, and what it holds. */
export interface CompleteRead {
  readonly table: TableName;
  readonly generation: bigint;
  readonly totals: Totals;
}

/**
 * Ends the load of tables whose reads are complete; the ledger has served its purpose.
 * @throws SluiceError MANIFEST_BROKEN when the ledger holds other totals than a read.
 */
export async function finishTables(
  client: pg.Client,
  identity: SinkIdentity,
  reads: readonly CompleteRead[],
): Promise<void> {
  await client.query('BEGIN');
  try {
    await checkLedger(client, identity, reads);
    await markLoaded(client, identity, reads);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** @throws SluiceError MANIFEST_BROKEN when the ledger holds other totals than a read. */
export async function checkLedger(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  reads: readonly CompleteRead[],
): Promise<void> {
  const { rows } = await client.query<{ schema: string; name: string; chunks: string; rows: string }>(
    `SELECT r.schema, r.name, count(c.chunk) AS chunks, coalesce(sum(c.rows), 0) AS rows
     FROM unnest($3::text[], $4::text[], $5::bigint[]) AS r(schema, name, generation)
     LEFT JOIN sluice.chunk c ON c.task = $1 AND c.sink = $2
       AND c.schema_name = r.schema AND c.table_name = r.name AND c.generation = r.generation
     GROUP BY r.schema, r.name`,
    [task, sink, ...columnsOf(reads)],
  );
  const ledger = new Map(rows.map((row) => [tableKey(row), row]));
  for (const { table, totals } of reads) {
    const { chunks, rows: loaded } = ledger.get(tableKey(table)) ?? { chunks: '0', rows: '0' };
    if (Number(chunks) === totals.chunks && BigInt(loaded) === totals.rows) continue;
    throw new SluiceError(
      'MANIFEST_BROKEN',
      `${quoteTable(table)}: ${loaded} rows of ${chunks} chunks are loaded, the read has ${totals.rows} of ${totals.chunks}`,
    );
  }
}

export async function markLoaded(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  reads: readonly CompleteRead[],
): Promise<void> {
  // One by one: joined with a list, each end of a load would look at the rows of all tables.
  for (const { table, generation, totals } of reads) {
    const names = [task, sink, table.schema, table.name];
    await client.query({
      name: 'sluice-loaded',
      text: `UPDATE sluice.table_load SET state = 'loaded', rows = $6, chunks = $7, updated_at = now()
        WHERE ${mine} AND generation = $5`,
      values: [...names, generation, totals.rows, totals.chunks],
    });
    await client.query({ name: 'sluice-ledger', text: `DELETE FROM sluice.chunk WHERE ${mine}`, values: names });
  }
}

/** As arrays of a statement. */
export function columnsOf(reads: readonly { readonly table: TableName; readonly generation: bigint }[]) {
  return [
    reads.map(({ table }) => table.schema),
    reads.map(({ table }) => table.name),
    reads.map(({ generation }) => generation),
  ];
}

/** Remembers the columns of the row key with the first chunk that is staged. */
export async function writeRowKey(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { table, key }: { readonly table: TableName; readonly key: readonly string[] },
): Promise<void> {
  await client.query({
    name: 'sluice-row-key',
    text: `UPDATE sluice.table_load SET row_key = $5::jsonb WHERE ${mine} AND row_key IS NULL`,
    values: [task, sink, table.schema, table.name, JSON.stringify(key)],
  });
}

export async function readRowKey(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  table: TableName,
): Promise<readonly string[]> {
  const { rows } = await client.query<{ row_key: string | null }>(
    `SELECT row_key FROM sluice.table_load WHERE ${mine}`,
    [task, sink, table.schema, table.name],
  );
  return JSON.parse(rows[0]?.row_key ?? '[]') as string[];
}

/** For status: what the ledger holds of the tables that are being loaded. */
export async function writeProgress(client: pg.Client, { task, sink }: SinkIdentity): Promise<void> {
  await client.query(
    `UPDATE sluice.table_load AS l SET rows = c.rows, chunks = c.chunks, updated_at = now()
     FROM (SELECT schema_name, table_name, generation, sum(rows) AS rows, count(*) AS chunks
       FROM sluice.chunk WHERE task = $1 AND sink = $2 GROUP BY 1, 2, 3) AS c
     WHERE l.task = $1 AND l.sink = $2 AND l.schema_name = c.schema_name AND l.table_name = c.table_name
       AND l.generation = c.generation AND l.state = 'loading'`,
    [task, sink],
  );
}
