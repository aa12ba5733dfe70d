/**
 * Avro's binary encoding of the types that the envelope uses.
 * @see https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */

const FIRST_BYTES = 16 * 1024;
/** Doubled by zigzag it must stay an exact integer. */
const EXACT = 2 ** 52;
const SHORT = 64;

/** From here on a buffer is given away instead of copied, and grows only as far as needed. */
const LARGE_BYTES = 1024 * 1024;

/** Writes into one buffer that it keeps and lets grow; `finish` gives a copy, or the buffer itself where it is large. */
export class AvroWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  start(): void {
    this.#at = 0;
  }

  finish(): Buffer {
    if (this.#buffer.length > LARGE_BYTES) {
      const given = this.#buffer.subarray(0, this.#at);
      this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
      return given;
    }
    const bytes = Buffer.allocUnsafe(this.#at);
    this.#buffer.copy(bytes, 0, 0, this.#at);
    return bytes;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
  }

  boolean(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  /** int and long; exact up to 2^52 either way. */
  integer(value: number): void {
    this.#reserve(10);
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest > 0x7fff_ffff) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#at++] = rest;
  }

  /** long; of a value beyond 64 bits signed the lowest 64. */
  long(value: bigint): void {
    const number = Number(value);
    if (number > -EXACT && number < EXACT) {
      this.integer(number);
      return;
    }
    this.#reserve(10);
    const signed = BigInt.asIntN(64, value);
    let rest = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
    while (rest > 0x7fn) {
      this.#buffer[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#at++] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  string(value: string): void {
    if (value.length < SHORT && this.#shortAscii(value)) return;
    const length = Buffer.byteLength(value);
    this.integer(length);
    this.#reserve(length);
    this.#at += this.#buffer.write(value, this.#at);
  }

  bytes(value: Buffer): void {
    this.integer(value.length);
    this.raw(value);
  }

  /** What is encoded already. */
  raw(value: Buffer): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** `\x` and hexadecimal digits, as bytes. @throws RangeError */
  hexBytes(hex: string): void {
    const length = (hex.length - 2) / 2;
    this.integer(length);
    this.#reserve(length);
    const written = this.#buffer.write(hex.slice(2), this.#at, 'hex');
    if (!hex.startsWith('\\x') || written !== length) throw new RangeError('not a bytea in hex format');
    this.#at += length;
  }

  /** A native call costs more than a loop over so few characters. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at++] = length * 2;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      buffer[at++] = code;
    }
    this.#at = at;
    return true;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const room = needed > LARGE_BYTES ? Math.ceil(needed * 1.1) : this.#buffer.length * 2;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, room));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Reads front to back. @throws RangeError past the end */
export class AvroReader {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  start(buffer: Buffer, at: number): void {
    this.#buffer = buffer;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  byte(): number {
    const byte = this.#buffer[this.#at++];
    if (byte === undefined) throw new RangeError('past the end');
    return byte;
  }

  boolean(): boolean {
    return this.byte() === 1;
  }

  /** int, or a long known to be below 2^52 either way. */
  integer(): number {
    const first = this.byte();
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    let value = first & 0x7f;
    let scale = 0x80;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    if (value >= EXACT * 2) throw new RangeError('integer beyond 2^52');
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  long(): bigint {
    const start = this.#at;
    while (this.byte() >= 0x80);
    const length = this.#at - start;
    this.#at = start;
    // Seven bytes hold 49 bits.
    if (length <= 7) return BigInt(this.integer());
    let value = 0n;
    for (let shift = 0n; this.#at < start + length; shift += 7n) value |= BigInt(this.byte() & 0x7f) << shift;
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  double(): number {
    const value = this.#buffer.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  string(): string {
    const start = this.sized();
    return this.#buffer.toString('utf8', start, this.#at);
  }

  /** Bytes, as `\x` and hexadecimal digits. */
  hexBytes(): string {
    const start = this.sized();
    return `\\x${this.#buffer.toString('hex', start, this.#at)}`;
  }

  skipSized(): void {
    this.sized();
  }

  skipVarint(): void {
    while (this.byte() >= 0x80);
  }

  /** Passes over `known` if it stands here. */
  accept(known: Buffer): boolean {
    const end = this.#at + known.length;
    if (end > this.#buffer.length || this.#buffer.compare(known, 0, known.length, this.#at, end) !== 0) return false;
    this.#at = end;
    return true;
  }

  /** A copy of what was read since `start`. */
  since(start: number): Buffer {
    return Buffer.from(this.#buffer.subarray(start, this.#at));
  }

  /** Length, then that many bytes: passes over them and says where they start. */
  sized(): number {
    const length = this.integer();
    const start = this.#at;
    this.#at += length;
    if (length < 0 || this.#at > this.#buffer.length) throw new RangeError('past the end');
    return start;
  }
}
