import type { Duplex } from 'node:stream';
import type pg from 'pg';

interface CopyConnection {
  readonly stream: Duplex;
  query(text: string): void;
}

const HEADER = 5;
const COPY_DATA = 0x64;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);
/** Rows of one CopyData message: the server reads a message whole before it looks at it, so one that fits its caches. */
const MESSAGE_BYTES = 64 * 1024;

/** A COPY ... FROM STDIN of text that is at hand, as a query of pg's client. */
class CopyIn implements pg.Submittable {
  readonly #sql: string;
  readonly #text: Buffer;
  readonly #settle: (failure: unknown, rows: number) => void;
  #rows = Number.NaN;

  constructor(sql: string, text: Buffer, settle: (failure: unknown, rows: number) => void) {
    this.#sql = sql;
    this.#text = text;
    this.#settle = settle;
  }

  submit(connection: CopyConnection): void {
    connection.query(this.#sql);
  }

  handleCopyInResponse({ stream }: CopyConnection): void {
    stream.cork();
    for (let at = 0; at < this.#text.length; at += MESSAGE_BYTES) {
      const part = this.#text.subarray(at, at + MESSAGE_BYTES);
      const header = Buffer.allocUnsafe(HEADER);
      header[0] = COPY_DATA;
      header.writeInt32BE(part.length + HEADER - 1, 1);
      stream.write(header);
      stream.write(part);
    }
    stream.write(COPY_DONE);
    stream.uncork();
  }

  handleCommandComplete({ text = '' }: { readonly text?: string }): void {
    this.#rows = Number(/^COPY (\d+)$/.exec(text)?.[1]);
  }

  handleReadyForQuery(): void {
    this.#settle(null, this.#rows);
  }

  handleError(error: unknown): void {
    this.#settle(error, 0);
  }
}

/** Runs the COPY and gives the number of rows that the server took. @throws what pg reports */
export function copyIn(client: pg.Client, sql: string, text: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (failure: unknown, rows: number) => (failure === null ? resolve(rows) : reject(failure));
    client.query(new CopyIn(sql, text, settle));
  });
}
