import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { RowLines } from './merge.ts';

const NEWLINE = 0x0a;

/** The rows of one COPY ... TO STDOUT, one at a time; a row's text never holds a raw newline. */
export class CopyLines implements RowLines {
  readonly #parts: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(client: pg.Client, sql: string) {
    const stream = client.query(copyTo(sql, { highWaterMark: 1 << 18 }));
    this.#parts = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** The next row if it is here already; undefined when more must be read first with `fill`. */
  take(): Buffer | undefined {
    const end = this.#buffer.indexOf(NEWLINE, this.#at);
    if (end < 0) return undefined;
    const line = this.#buffer.subarray(this.#at, end);
    this.#at = end + 1;
    return line;
  }

  /** False at the end. */
  async fill(): Promise<boolean> {
    const { done, value } = await this.#parts.next();
    if (done) return false;
    const rest = this.#buffer.subarray(this.#at);
    this.#buffer = rest.length === 0 ? value : Buffer.concat([rest, value]);
    this.#at = 0;
    return true;
  }

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const line = this.take();
      if (line) return line;
      if (!(await this.fill())) return undefined;
    }
  }
}
