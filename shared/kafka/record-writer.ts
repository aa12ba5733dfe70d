import { crc32c } from '@node-rs/crc32';
import type { BytePool } from './byte-pool.ts';
import { GrowingBytes, putVarint } from './growing-bytes.ts';
import type { SealedBatch } from './interfaces.ts';
import { BATCH_OVERHEAD, sealBatch } from './record-batch.ts';
import { varintSize } from './wire.ts';

const NULL_KEY = 1;
/** Of a record beside key and value: length, attributes, two deltas, two sizes, headers. */
const RECORD_OVERHEAD = 32;
const FIRST_BYTES = 4 * 1024;

/** Records of one record batch, written straight into its bytes, without headers and one after the other. */
export class RecordWriter {
  /** Values are written here, between `begin` and `end`. */
  readonly out: GrowingBytes;
  #count = 0;
  #record = 0;
  #value = 0;
  /** Sizes come before what they are sizes of: room as for the last record is left, and moved where it is not right. */
  #recordSizeBytes = 2;
  #valueSizeBytes = 2;

  /** `pool`: where its bytes come from, and where `release` brings them. */
  constructor(firstBytes = FIRST_BYTES, pool: BytePool | null = null) {
    this.out = new GrowingBytes(Math.max(firstBytes, BATCH_OVERHEAD + RECORD_OVERHEAD), pool);
    this.out.at = BATCH_OVERHEAD;
  }

  get count(): number {
    return this.#count;
  }

  /** Of the batch so far. */
  get size(): number {
    return this.out.at;
  }

  /** A record of this key, the first bytes of `key`; its value follows. */
  begin(key: Uint8Array | null, keyLength = key === null ? 0 : key.length): void {
    const { out } = this;
    out.reserve(RECORD_OVERHEAD + keyLength);
    this.#record = out.at;
    out.at += this.#recordSizeBytes;
    const { buffer } = out;
    buffer[out.at++] = 0;
    buffer[out.at++] = 0;
    out.varint(this.#count);
    if (key === null) buffer[out.at++] = NULL_KEY;
    else {
      out.varint(keyLength);
      let at = out.at;
      for (let index = 0; index < keyLength; index++) buffer[at++] = key[index]!;
      out.at = at;
    }
    this.#value = out.at;
    out.at += this.#valueSizeBytes;
  }

  /** The value is written. Returns its length. */
  end(): number {
    const { out } = this;
    const length = out.at - this.#value - this.#valueSizeBytes;
    out.reserve(RECORD_OVERHEAD);
    this.#valueSizeBytes = putSize(out, this.#value, { reserved: this.#valueSizeBytes, size: length });
    out.buffer[out.at++] = 0;
    const body = out.at - this.#record - this.#recordSizeBytes;
    this.#recordSizeBytes = putSize(out, this.#record, { reserved: this.#recordSizeBytes, size: body });
    this.#count += 1;
    return length;
  }

  /** Takes what stands from a record's start on, of which `count` precede it, into a writer of its own. */
  splitAt(start: number, count: number): RecordWriter {
    const tail = new RecordWriter(BATCH_OVERHEAD + RECORD_OVERHEAD * 2 + this.out.at - start, this.out.pool);
    for (const record of recordsIn(this.out.buffer, start, this.out.at)) {
      tail.begin(record.key);
      tail.out.reserve(record.value.length);
      tail.out.buffer.set(record.value, tail.out.at);
      tail.out.at += record.value.length;
      tail.end();
    }
    this.out.at = start;
    this.#count = count;
    return tail;
  }

  /** Nothing may be written any more. `before`: checksum of the records of the same segment that precede these. */
  seal(before = 0): SealedBatch {
    const batch = this.out.buffer.subarray(0, this.out.at);
    const { crc, bytes } = contentCrc(batch, before);
    sealBatch(batch, this.#count, BigInt(Date.now()));
    return { batch, count: this.#count, bytes, crc32c: crc };
  }

  /** Nobody reads the sealed batch any more. */
  release(): void {
    this.out.pool?.give(this.out.buffer);
  }
}

/** Puts a size in front of the bytes that follow the room left for it, and says how many bytes it took. */
function putSize(out: GrowingBytes, at: number, { reserved, size }: { reserved: number; size: number }): number {
  const needed = varintSize(size);
  if (needed !== reserved) {
    out.buffer.copyWithin(at + needed, at + reserved, out.at);
    out.at += needed - reserved;
  }
  putVarint(out.buffer, at, size);
  return needed;
}

/** Reads a record of ours: where its key and value lie. */
class RecordCursor {
  at: number;
  keyStart = 0;
  /** -1: no key. */
  keyLength = 0;
  valueStart = 0;
  valueLength = 0;
  readonly #buffer: Buffer;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  next(): void {
    this.#varint();
    this.at += 2;
    this.#varint();
    this.keyLength = this.#varint();
    this.keyStart = this.at;
    if (this.keyLength > 0) this.at += this.keyLength;
    this.valueLength = this.#varint();
    this.valueStart = this.at;
    this.at += this.valueLength + 1;
  }

  #varint(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.#buffer[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      shift += 7;
    }
  }
}

function* recordsIn(buffer: Buffer, start: number, end: number) {
  const cursor = new RecordCursor(buffer, start);
  while (cursor.at < end) {
    cursor.next();
    const { keyStart, keyLength, valueStart, valueLength } = cursor;
    const key = keyLength < 0 ? null : buffer.subarray(keyStart, keyStart + keyLength);
    yield { key, value: buffer.subarray(valueStart, valueStart + valueLength) };
  }
}

const GATHERED = 1 << 18;
const gathered = Buffer.allocUnsafeSlow(GATHERED);

/** As segmentCrc, over the records of a batch; gathered, since a native call costs more than the copy. */
function contentCrc(batch: Buffer, before: number): { crc: number; bytes: number } {
  const cursor = new RecordCursor(batch, BATCH_OVERHEAD);
  let crc = before;
  let bytes = 0;
  let at = 0;
  while (cursor.at < batch.length) {
    cursor.next();
    const { keyStart, keyLength, valueStart, valueLength } = cursor;
    const size = Math.max(keyLength, 0) + valueLength;
    bytes += size;
    if (size > GATHERED - at) {
      crc = crc32c(gathered.subarray(0, at), crc);
      at = 0;
    }
    if (size > GATHERED) {
      if (keyLength > 0) crc = crc32c(batch.subarray(keyStart, keyStart + keyLength), crc);
      crc = crc32c(batch.subarray(valueStart, valueStart + valueLength), crc);
      continue;
    }
    for (let from = 0; from < keyLength; from++) gathered[at++] = batch[keyStart + from]!;
    batch.copy(gathered, at, valueStart, valueStart + valueLength);
    at += valueLength;
  }
  return { crc: crc32c(gathered.subarray(0, at), crc), bytes };
}
