import type pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { SluiceError } from '../../../shared/errors.ts';
import { type RowChunk, RowCutter } from './row-cutter.ts';

export interface CopyOptions {
  /** Bytes of a chunk, about. */
  readonly target: number;
  /** Bytes of the largest chunk that can be carried; well above the target. */
  readonly largest: number;
  /** For messages. */
  readonly table: string;
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
  for await (const bytes of stream as AsyncIterable<Buffer>) {
    const chunk = cutter.push(bytes);
    if (Math.max(cutter.size, chunk?.bytes.length ?? 0) > options.largest) throw tooLarge(options);
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

function tooLarge({ table, largest }: CopyOptions): SluiceError {
  return new SluiceError('KAFKA_RECORD_TOO_LARGE', `a row of ${table} has more than ${largest} bytes as COPY text`, {
    context: { table },
  });
}
