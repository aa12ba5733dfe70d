/**
 * Kafka's primitive types, written into and read from one buffer.
 * @see https://kafka.apache.org/protocol.html#protocol_types
 */

/** A part of a request of its own costs more than the copy of what is smaller. */
export const OWN_PART_BYTES = 32 * 1024;

/** Writes into a buffer whose size the caller computed. */
export class WireWriter {
  readonly buffer: Buffer;
  at = 0;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  int8(value: number): void {
    this.at = this.buffer.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.buffer.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.buffer.writeInt32BE(value, this.at);
  }

  uint32At(value: number, at: number): void {
    this.buffer.writeUInt32BE(value, at);
  }

  int64(value: bigint): void {
    this.at = this.buffer.writeBigInt64BE(value, this.at);
  }

  /** Zigzag varint of 32 bits. */
  varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.buffer[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.at++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  utf8(value: string): void {
    this.at += this.buffer.write(value, this.at);
  }

  /** STRING: int16 length and UTF-8. */
  string(value: string): void {
    this.int16(Buffer.byteLength(value));
    this.utf8(value);
  }
}

export function stringSize(value: string): number {
  return 2 + Buffer.byteLength(value);
}

export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5;
}

/** Reads front to back. @throws RangeError past the end. */
export class WireReader {
  readonly buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer;
    this.at = at;
  }

  int8(): number {
    const value = this.buffer.readInt8(this.at);
    this.at += 1;
    return value;
  }

  int16(): number {
    const value = this.buffer.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  int64(): bigint {
    const value = this.buffer.readBigInt64BE(this.at);
    this.at += 8;
    return value;
  }

  /** Zigzag varint or varlong whose value fits 53 bits. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.buffer[this.at++];
      if (byte === undefined) throw new RangeError('varint past the end');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Passes over so many bytes; gives where they start. */
  skip(length: number): number {
    const start = this.at;
    this.at += length;
    if (this.at > this.buffer.length) throw new RangeError('bytes past the end');
    return start;
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const end = this.at + length;
    if (end > this.buffer.length) throw new RangeError('bytes past the end');
    const value = this.buffer.subarray(this.at, end);
    this.at = end;
    return value;
  }

  /** NULLABLE_STRING. */
  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.bytes(length).toString();
  }

  array<T>(read: () => T): T[] {
    const length = this.int32();
    const values: T[] = [];
    for (let index = 0; index < length; index++) values.push(read());
    return values;
  }
}
