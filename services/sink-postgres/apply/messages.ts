/**
 * Messages of PostgreSQL's extended query protocol, parameters and results as text.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

const INT32 = 4;
const INT16 = 2;
const NULL = -1;
/** Larger values are not copied among the others. */
const LARGE_BYTES = 32 * 1024;
const FIRST_BYTES = 2 * 1024;
const BLOCK_BYTES = 64 * 1024;

const code = (letter: string) => letter.charCodeAt(0);

/** Writes messages one after the other, many in one block: thousands of small parts cost more than their bytes. */
export class MessageWriter {
  readonly #write: (bytes: Buffer) => void;
  #block = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  /** `write` gets the bytes in order, and keeps them as long as it likes. */
  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** Forgets the name, which need not be known, and gives it to the statement. */
  prepare(name: string, text: string): void {
    this.#begin('C', 1 + name.length + 1);
    this.#text('S');
    this.#name(name);
    const length = Buffer.byteLength(text);
    this.#begin('P', name.length + 1 + length + 1 + INT16);
    this.#name(name);
    this.#reserve(length + 1 + INT16);
    this.#at += this.#block.write(text, this.#at);
    this.#block[this.#at++] = 0;
    this.#int16(0);
  }

  /** To the unnamed portal. */
  bind(name: string, values: readonly (string | Buffer | null)[]): void {
    const length = values.reduce((sum, value) => sum + INT32 + sizeOf(value), 0);
    this.#begin('B', 1 + name.length + 1 + INT16 + INT16 + length + INT16);
    this.#name('');
    this.#name(name);
    this.#int16(0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0);
  }

  /** The unnamed portal, all rows. */
  execute(): void {
    this.#begin('E', 1 + INT32);
    this.#name('');
    this.#int32(0);
  }

  /** All that a COPY reads. */
  copy(data: Buffer): void {
    this.#begin('d', data.length);
    this.#bytes(data);
    this.#begin('c', 0);
  }

  /** The last message. */
  sync(): void {
    this.#begin('S', 0);
    this.#flush();
  }

  #begin(letter: string, length: number): void {
    this.#reserve(1 + INT32);
    this.#block[this.#at++] = code(letter);
    this.#int32(INT32 + length);
  }

  #value(value: string | Buffer | null): void {
    this.#int32(value === null ? NULL : sizeOf(value));
    if (typeof value === 'string') this.#bytes(Buffer.from(value));
    else if (value !== null) this.#bytes(value);
  }

  #bytes(bytes: Buffer): void {
    if (bytes.length < LARGE_BYTES) {
      this.#reserve(bytes.length);
      this.#block.set(bytes, this.#at);
      this.#at += bytes.length;
    } else {
      this.#flush();
      this.#write(bytes);
    }
  }

  #name(name: string): void {
    this.#text(name);
    this.#reserve(1);
    this.#block[this.#at++] = 0;
  }

  #text(ascii: string): void {
    this.#reserve(ascii.length);
    for (let index = 0; index < ascii.length; index++) this.#block[this.#at++] = ascii.charCodeAt(index);
  }

  #int16(value: number): void {
    this.#reserve(INT16);
    this.#at = this.#block.writeInt16BE(value, this.#at);
  }

  #int32(value: number): void {
    this.#reserve(INT32);
    this.#at = this.#block.writeInt32BE(value, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#block.length) return;
    this.#flush();
    this.#block = Buffer.allocUnsafe(Math.max(bytes, BLOCK_BYTES));
    this.#at = 0;
  }

  #flush(): void {
    if (this.#at > 0) this.#write(this.#block.subarray(0, this.#at));
    this.#block = this.#block.subarray(this.#at);
    this.#at = 0;
  }
}

function sizeOf(value: string | Buffer | null): number {
  return value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}
