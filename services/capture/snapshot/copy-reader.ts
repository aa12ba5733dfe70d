import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { CopyOut } from './copy-out.ts';
import type { CutterOptions } from './frame-cutter.ts';
import { OversizedRow } from './oversized-row.ts';
import type { RowChunk } from './row-chunk.ts';

export interface CopyOptions extends CutterOptions {
  /** For messages. */
  readonly table: string;
}

/**
 * Runs a COPY ... TO STDOUT and gives its rows in chunks; the socket is not read while the taker is busy.
 * A session whose reading was given up in the middle can only be closed.
 * @throws SluiceError KAFKA_RECORD_TOO_LARGE; what pg throws
 */
export async function* readCopy(client: pg.Client, sql: string, options: CopyOptions): AsyncGenerator<RowChunk> {
  const copy = client.query(new CopyOut(sql, options));
  let rows = 0;
  try {
    for (let next = await copy.next(); next; next = await copy.next()) {
      if (next instanceof OversizedRow) throw tooLarge(next, options);
      rows += next.rows;
      yield next;
    }
  } finally {
    copy.discard();
  }
  if (rows !== copy.rows) {
    throw new SluiceError('INTERNAL', `COPY of ${options.table} gave ${rows} rows and says ${copy.rows}`);
  }
}

function tooLarge(row: OversizedRow, { table, largest }: CopyOptions): SluiceError {
  const which = row.key === null ? 'a row without a key' : `the row with key ${row.key}`;
  return new SluiceError(
    'KAFKA_RECORD_TOO_LARGE',
    `${which} of ${table} has ${row.bytes} bytes as COPY text; kafka.maxMessageBytes allows ${largest}`,
    { context: { table, key: row.key ?? undefined, bytes: row.bytes, limit: largest } },
  );
}
