import type pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { SluiceError } from '../../../shared/errors.ts';
import { OversizedRow } from './oversized-row.ts';
import { type RowChunk, RowCutter } from './row-cutter.ts';

/** So that a row that ends in a piece is larger than what was seen of it before by no more. */
const PIECE_BYTES = 64 * 1024;

export interface CopyOptions {
  /** Bytes of a chunk, about. */
  readonly target: number;
  /** Bytes of the largest row that can be carried; well above the target. */
  readonly largest: number;
  /** For messages: its name, and which columns of the COPY are its key. */
  readonly table: string;
  readonly keyColumns: readonly number[];
}

/**
 * Runs a COPY ... TO STDOUT and gives its rows in chunks; the socket is not read while the taker is busy.
 * A session whose reading was given up in the middle can only be closed.
 * @throws SluiceError KAFKA_RECORD_TOO_LARGE; what pg throws
 */
export async function* readCopy(client: pg.Client, sql: string, options: CopyOptions): AsyncGenerator<RowChunk> {
  const stream = client.query(copyStreams.to(sql, { highWaterMark: 1024 * 1024 }));
  const cutter = new RowCutter(options.target);
  let rows = 0;
  const pieces = inPieces(stream as AsyncIterable<Buffer>);
  for await (const bytes of pieces) {
    const chunk = cutter.push(bytes);
    if (cutter.pendingSize > options.largest) throw await tooLarge(cutter.pending, pieces, options);
    if (!chunk) continue;
    rows += chunk.rows;
    yield chunk;
  }
  const last = cutter.end();
  if (last) {
    rows += last.rows;
    yield last;
  }
  if (rows !== stream.rowCount) {
    throw new SluiceError('INTERNAL', `COPY of ${options.table} gave ${rows} rows and says ${stream.rowCount}`);
  }
}

/** A chunk is larger than its target by one piece at most. */
async function* inPieces(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const bytes of stream) {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  }
}

/** Reads the row to its end, without keeping it, so that its size and key can be told. */
async function tooLarge(start: Buffer, rest: AsyncIterable<Buffer>, options: CopyOptions): Promise<SluiceError> {
  const { table, keyColumns, largest } = options;
  const row = new OversizedRow(keyColumns);
  if (!row.push(start)) for await (const bytes of rest) if (row.push(bytes)) break;
  const which = row.key === null ? 'a row without a key' : `the row with key ${row.key}`;
  return new SluiceError(
    'KAFKA_RECORD_TOO_LARGE',
    `${which} of ${table} has ${row.bytes} bytes as COPY text; kafka.maxMessageBytes allows ${largest}`,
    { context: { table, key: row.key ?? undefined, bytes: row.bytes, limit: largest } },
  );
}
