import type pg from 'pg';
import { CHUNK_HEADER, type ChunkHeader, decodeChunkHeader } from '../../../shared/envelope/snapshot-chunk.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FetchedRecord } from '../../../shared/kafka/interfaces.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier, quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { type Destination, destinationFailure } from '../bookkeeping/session.ts';
import { claimChunk, writeRowKey } from '../bookkeeping/table-loads.ts';
import { checkNamedRows } from '../names/copy-rows.ts';
import { type NamingColumns, readNamingColumns } from '../names/naming-columns.ts';
import { copyIn } from './copy-in.ts';
import { openStaging } from './staging.ts';

/** The read that a chunk must belong to. */
export interface ExpectedRead {
  readonly incarnation: string;
  readonly table: TableName;
  readonly generation: bigint;
  /** Where its rows go, when not into the table itself. */
  readonly staging: TableName | null;
}

export interface LoadContext {
  readonly client: pg.Client;
  readonly destination: Destination;
  /** Columns that name objects, of the tables met so far. */
  readonly naming: Map<string, NamingColumns>;
}

/**
 * Loads a chunk in a transaction of its own, once: its ledger row first, then its rows by COPY.
 * @throws SluiceError SEGMENT_BROKEN, DESTINATION_ROW_REFUSED, DESTINATION_TABLE_MISSING, POSTGRES_*
 */
export async function loadChunk(context: LoadContext, record: FetchedRecord, read: ExpectedRead): Promise<void> {
  const header = headerOf(record, read);
  const { client, destination } = context;
  const { table, generation, staging } = read;
  const { chunk, rows } = header;
  try {
    await client.query('BEGIN');
    if (!(await claimChunk(client, destination.identity, { table, generation, chunk, rows }))) {
      await client.query('ROLLBACK');
      return;
    }
    await checkNames(context, header, record);
    if (staging) {
      await openStaging(client, staging, { table, columns: header.columns });
      await writeRowKey(client, destination.identity, { table, key: header.key ?? [] });
    }
    const copied = await copy(client, { into: staging ?? table, columns: header.columns }, record.value);
    if (copied !== rows) {
      throw new SluiceError('SEGMENT_BROKEN', `${place(header)} holds ${copied} rows, its header says ${rows}`);
    }
    failpoint('sink.in-load');
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw classed(error, header, destination);
  }
  failpoint('sink.after-chunk');
}

function headerOf({ headers, offset }: FetchedRecord, read: ExpectedRead): ChunkHeader {
  const header = decodeChunkHeader(headers[CHUNK_HEADER]);
  const { table, incarnation, generation } = read;
  const same =
    header.incarnation === incarnation &&
    header.schema === table.schema &&
    header.name === table.name &&
    header.generation === String(generation);
  if (!same) {
    throw new SluiceError(
      'SEGMENT_BROKEN',
      `the chunk at offset ${offset} is ${place(header)}, listed for another read`,
    );
  }
  return header;
}

async function checkNames({ client, naming: known }: LoadContext, header: ChunkHeader, record: FetchedRecord) {
  const key = tableKey(header);
  const naming = known.get(key) ?? (await readNamingColumns(client, header));
  known.set(key, naming);
  if (naming.size === 0 || record.value === null) return;
  checkNamedRows(record.value, { columns: header.columns, naming, place: place(header) });
}

async function copy(
  client: pg.Client,
  { into, columns }: { readonly into: TableName; readonly columns: readonly string[] },
  text: Buffer | null,
): Promise<number> {
  const list = columns.length > 0 ? `(${columns.map(quoteIdentifier).join(', ')})` : '';
  return await copyIn(client, `COPY ${quoteTable(into)} ${list} FROM STDIN`, text ?? Buffer.alloc(0));
}

const missingStates = new Set(['42P01', '42703']);

function classed(error: unknown, header: ChunkHeader, destination: Destination): SluiceError {
  const state = sqlstate(error);
  if (state === undefined) return destinationFailure(error, destination);
  const message = `${place(header)}: ${(error as Error).message}`;
  const options = { context: { table: quoteTable(header), chunk: header.chunk, sqlstate: state }, cause: error };
  if (missingStates.has(state)) return new SluiceError('DESTINATION_TABLE_MISSING', message, options);
  if (state.startsWith('22') || state.startsWith('23')) {
    return new SluiceError('DESTINATION_ROW_REFUSED', message, options);
  }
  return destinationFailure(error, destination);
}

function place(header: ChunkHeader): string {
  return `chunk ${header.chunk} of ${quoteTable(header)}`;
}
