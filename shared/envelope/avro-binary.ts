import { isUtf8 } from 'node:buffer';
import { GrowingBytes } from '../kafka/growing-bytes.ts';

/**
 * Avro's binary encoding of the types that the envelope uses.
 * @see https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */

/** Doubled by zigzag it must stay an exact integer. */
const EXACT = 2 ** 52;
/** A native call costs more than a loop over so few bytes. */
const SHORT = 128;
const NOT_A_DIGIT = 0xff;

const digitOf = new Uint8Array(256).fill(NOT_A_DIGIT);
for (const [value, digit] of [...'0123456789abcdef'].entries()) digitOf[digit.charCodeAt(0)] = value;
for (const [value, digit] of [...'ABCDEF'].entries()) digitOf[digit.charCodeAt(0)] = 10 + value;

/** Writes at the end of the bytes it was started with; they have all of it after `end`. */
export class AvroWriter {
  #out: GrowingBytes = new GrowingBytes(0);
  #buffer: Buffer = this.#out.buffer;
  #at = 0;

  start(out: GrowingBytes): void {
    this.#out = out;
    this.#buffer = out.buffer;
    this.#at = out.at;
  }

  end(): void {
    this.#out.at = this.#at;
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

  /** long; of a bigint beyond 64 bits signed the lowest 64. */
  long(value: number | bigint): void {
    const number = Number(value);
    if (number > -EXACT && number < EXACT) {
      this.integer(number);
      return;
    }
    this.#reserve(10);
    const signed = BigInt.asIntN(64, BigInt(value));
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
    const { length } = value;
    this.#reserve(length);
    const buffer = this.#buffer;
    if (length < SHORT) for (let index = 0; index < length; index++) buffer[this.#at + index] = value[index]!;
    else buffer.set(value, this.#at);
    this.#at += length;
  }

  /** What another writer wrote, a few bytes. */
  written({ buffer, at }: GrowingBytes): void {
    this.#reserve(at);
    for (let index = 0; index < at; index++) this.#buffer[this.#at++] = buffer[index]!;
  }

  /** A string that is there as UTF-8. False: it is not valid. */
  text(bytes: Buffer, start: number, end: number): boolean {
    const length = end - start;
    this.integer(length);
    this.#reserve(length);
    if (length >= SHORT) {
      bytes.copy(this.#buffer, this.#at, start, end);
      this.#at += length;
      return isUtf8(bytes.subarray(start, end));
    }
    const buffer = this.#buffer;
    let at = this.#at;
    let bits = 0;
    for (let from = start; from < end; from++) {
      const byte = bytes[from]!;
      bits |= byte;
      buffer[at++] = byte;
    }
    this.#at = at;
    return bits < 0x80 || isUtf8(bytes.subarray(start, end));
  }

  /** `\x` and hexadecimal digits, as bytes. @throws RangeError */
  hexBytes(bytes: Buffer, start: number, end: number): void {
    const length = (end - start - 2) / 2;
    if (!Number.isInteger(length) || length < 0 || bytes[start] !== 0x5c || bytes[start + 1] !== 0x78) throw notHex();
    this.integer(length);
    this.#reserve(length);
    const buffer = this.#buffer;
    let at = this.#at;
    for (let from = start + 2; from < end; from += 2) {
      const high = digitOf[bytes[from]!]!;
      const low = digitOf[bytes[from + 1]!]!;
      if (high === NOT_A_DIGIT || low === NOT_A_DIGIT) throw notHex();
      buffer[at++] = (high << 4) | low;
    }
    this.#at = at;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    this.#out.at = this.#at;
    this.#out.reserve(bytes);
    this.#buffer = this.#out.buffer;
  }
}

function notHex(): RangeError {
  return new RangeError('not a bytea in hex format');
}

/** What `write` writes, as bytes of its own. */
export function avroBytes(write: (writer: AvroWriter) => void): Buffer {
  const out = new GrowingBytes(256);
  const writer = new AvroWriter();
  writer.start(out);
  write(writer);
  writer.end();
  return Buffer.from(out.buffer.subarray(0, out.at));
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
