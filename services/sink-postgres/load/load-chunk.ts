import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { CHUNK_HEADER, type ChunkHeader, decodeChunkHeader } from '../../../shared/envelope/snapshot-chunk.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FetchedRecord } from '../../../shared/kafka/interfaces.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { type Destination, destinationFailure } from '../bookkeeping/session.ts';
import { claimChunk } from '../bookkeeping/table-loads.ts';

/** The read that a chunk must belong to. */
export interface ExpectedRead {
  readonly incarnation: string;
  readonly table: TableName;
  readonly generation: bigint;
}

export interface LoadContext {
  readonly client: pg.Client;
  readonly destination: Destination;
}

/**
 * Loads a chunk in a transaction of its own, once: its ledger row first, then its rows by COPY.
 * @throws SluiceError SEGMENT_BROKEN, DESTINATION_ROW_REFUSED, DESTINATION_TABLE_MISSING, POSTGRES_*
 */
export async function loadChunk(context: LoadContext, record: FetchedRecord, read: ExpectedRead): Promise<void> {
  const header = headerOf(record, read);
  const { client, destination } = context;
  const { table, generation } = read;
  const { chunk, rows } = header;
  try {
    await client.query('BEGIN');
    if (!(await claimChunk(client, destination.identity, { table, generation, chunk, rows }))) {
      await client.query('ROLLBACK');
      return;
    }
    const copied = await copy(client, header, record.value ?? Buffer.alloc(0));
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

async function copy(client: pg.Client, header: ChunkHeader, text: Buffer): Promise<number> {
  const columns = header.columns.length > 0 ? `(${header.columns.map(quoteIdentifier).join(', ')})` : '';
  const stream = client.query(copyFrom(`COPY ${quoteTable(header)} ${columns} FROM STDIN`));
  await pipeline(Readable.from([text], { objectMode: true }), stream);
  return stream.rowCount;
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
