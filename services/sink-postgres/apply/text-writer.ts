import { BytePool } from '../../../shared/kafka/byte-pool.ts';

const FIRST_BYTES = 1024;
/** A text up to this is copied, and written in memory that is used again. */
const MOST_COPIED_BYTES = 16 * 1024;
/** A statement has a text for each column. */
const POOL_BYTES = 4 * 1024 * 1024;
const SHORT = 256;
const HEX_BYTES = 8192;
const BACKSLASH = 0x5c;

/** How texts are written among others. */
export interface TextForm {
  /** Before and after each text: a quotation mark, or 0 for none. */
  readonly quote: number;
  /** For each byte that cannot stand as it is what stands for it behind a backslash; 0 for all others. */
  readonly escapes: Uint8Array;
}

export function escapesOf(pairs: Readonly<Record<string, string>>): Uint8Array {
  const escapes = new Uint8Array(256);
  for (const [byte, stands] of Object.entries(pairs)) escapes[byte.charCodeAt(0)] = stands.charCodeAt(0);
  return escapes;
}

const NOTHING = Buffer.alloc(0);
/** Of writers that finished. */
const pool = new BytePool(POOL_BYTES);

/** UTF-8 text that grows at its end. */
export class TextWriter {
  #bytes: Buffer = pool.take(FIRST_BYTES);
  #at = 0;

  /** What was written; nothing more may be. */
  finish(): Buffer {
    const bytes = this.#bytes;
    const text = bytes.subarray(0, this.#at);
    this.#bytes = NOTHING;
    this.#at = 0;
    if (bytes.length > MOST_COPIED_BYTES) return text;
    pool.give(bytes);
    return Buffer.from(text);
  }

  byte(byte: number): void {
    if (this.#at === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at++] = byte;
  }

  /** Few characters, all below 128. */
  ascii(text: string): void {
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[this.#at++] = text.charCodeAt(index);
  }

  /** Exact up to 2^53 either way. */
  integer(value: number): void {
    if (value >= 0 && value < 10) {
      this.byte(0x30 + value);
      return;
    }
    if (value > 0x7fff_ffff || value < -0x7fff_ffff) {
      this.ascii(String(value));
      return;
    }
    this.#reserve(11);
    let rest = value;
    if (rest < 0) {
      this.#bytes[this.#at++] = 0x2d;
      rest = -rest;
    }
    let digits = 1;
    for (let power = 10; digits < 10 && rest >= power; power *= 10) digits += 1;
    for (let place = this.#at + digits - 1; place >= this.#at; place--) {
      const tenth = (rest / 10) | 0;
      this.#bytes[place] = 0x30 + rest - tenth * 10;
      rest = tenth;
    }
    this.#at += digits;
  }

  /** UTF-8 bytes of another buffer. */
  text(bytes: Buffer, from: number, until: number, { quote, escapes }: TextForm): void {
    const length = until - from;
    this.#reserve(length * 2 + 2);
    if (quote !== 0) this.#bytes[this.#at++] = quote;
    if (length < SHORT || !this.#copied(bytes.subarray(from, until), escapes)) {
      const to = this.#bytes;
      let at = this.#at;
      for (let index = from; index < until; index++) {
        const byte = bytes[index] as number;
        const stands = escapes[byte] as number;
        if (stands === 0) to[at++] = byte;
        else {
          to[at++] = BACKSLASH;
          to[at++] = stands;
        }
      }
      this.#at = at;
    }
    if (quote !== 0) this.#bytes[this.#at++] = quote;
  }

  string(text: string, form: TextForm): void {
    const bytes = Buffer.from(text);
    this.text(bytes, 0, bytes.length, form);
  }

  /** As bytea is written. */
  hex(bytes: Buffer, from: number, until: number, { quote, escapes }: TextForm): void {
    if (quote !== 0) this.byte(quote);
    if (escapes[BACKSLASH] !== 0) this.byte(BACKSLASH);
    this.ascii('\\x');
    this.#reserve((until - from) * 2);
    for (let at = from; at < until; at += HEX_BYTES) {
      const digits = bytes.toString('hex', at, Math.min(until, at + HEX_BYTES));
      this.#at += this.#bytes.write(digits, this.#at, 'latin1');
    }
    if (quote !== 0) this.byte(quote);
  }

  /** True where nothing needed to be escaped: looking for it costs less than going through a long text. */
  #copied(bytes: Buffer, escapes: Uint8Array): boolean {
    for (const byte of specialsOf(escapes)) if (bytes.includes(byte)) return false;
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return true;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const larger = pool.take(Math.max(this.#at + bytes, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    pool.give(this.#bytes);
    this.#bytes = larger;
  }
}

const specials = new WeakMap<Uint8Array, readonly number[]>();

function specialsOf(escapes: Uint8Array): readonly number[] {
  const found = specials.get(escapes) ?? [...escapes.keys()].filter((byte) => escapes[byte] !== 0);
  specials.set(escapes, found);
  return found;
}
