import { gunzipSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import { SluiceError } from '../errors.ts';
import type { FetchedRecord, OutgoingRecord, TopicPartition } from './interfaces.ts';
import { varintSize, WireReader, WireWriter } from './wire.ts';

/**
 * Kafka's record batch, format 2; its records may be compressed by gzip.
 * @see https://kafka.apache.org/documentation/#recordbatch
 */

const HEADER_BYTES = 61;
/** The part before it is outside length and CRC. */
const LENGTH_END = 12;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_AT = 43;
const RECORD_COUNT_AT = 57;
const MAGIC_AT = 16;
const MAGIC = 2;

const COMPRESSION_MASK = 0x07;
const GZIP = 1;
const LOG_APPEND_TIME_MASK = 0x08;
const CONTROL_MASK = 0x20;

export type RecordContent = Pick<OutgoingRecord, 'key' | 'value' | 'headers'>;

/** Bytes of key and value, as manifest and limits count them. */
export function contentBytes(record: RecordContent): number {
  return keyLength(record.key) + record.value.length;
}

/** An upper bound of what a record takes in a batch beyond its content, headers included. */
export function recordOverhead(record: RecordContent): number {
  let overhead = 32;
  for (const name in record.headers) {
    overhead += 10 + Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] ?? '');
  }
  return overhead;
}

export const BATCH_OVERHEAD = HEADER_BYTES;

/** One batch of all records, with offsets from 0; the broker sets base offset and timestamps. */
export function encodeRecordBatch(records: readonly RecordContent[], timestamp: bigint): Buffer {
  const sizes = records.map(bodySize);
  const total = sizes.reduce((sum, size) => sum + varintSize(size) + size, HEADER_BYTES);
  const writer = new WireWriter(total);
  writer.at = HEADER_BYTES;
  for (let index = 0; index < records.length; index++) writeRecord(writer, records[index]!, index, sizes[index]!);
  sealBatch(writer.buffer, records.length, timestamp);
  return writer.buffer;
}

/** Completes a batch whose records stand behind the room for its header. */
export function sealBatch(batch: Buffer, count: number, timestamp: bigint): void {
  batch.fill(0, 0, HEADER_BYTES);
  batch.writeInt32BE(batch.length - LENGTH_END, LENGTH_END - 4);
  batch.writeInt32BE(-1, LENGTH_END);
  batch[MAGIC_AT] = MAGIC;
  batch.writeInt32BE(count - 1, LAST_OFFSET_DELTA_AT);
  batch.writeBigInt64BE(timestamp, BASE_TIMESTAMP_AT);
  batch.writeBigInt64BE(timestamp, MAX_TIMESTAMP_AT);
  // No producer: id, epoch and sequence are -1.
  batch.fill(0xff, PRODUCER_AT, RECORD_COUNT_AT);
  batch.writeInt32BE(count, RECORD_COUNT_AT);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
}

/** What compression applies to. */
export function sealedRecords(batch: Buffer): Buffer {
  return batch.subarray(HEADER_BYTES);
}

/** The batch with its records as given, compressed by gzip. */
export function resealBatch(batch: Buffer, compressed: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(HEADER_BYTES + compressed.length);
  batch.copy(sealed, 0, 0, HEADER_BYTES);
  compressed.copy(sealed, HEADER_BYTES);
  sealed.writeInt32BE(sealed.length - LENGTH_END, LENGTH_END - 4);
  sealed.writeInt16BE(GZIP, ATTRIBUTES_AT);
  sealed.writeUInt32BE(crc32c(sealed.subarray(ATTRIBUTES_AT)), CRC_AT);
  return sealed;
}

function keyLength(key: OutgoingRecord['key']): number {
  return key === null ? 0 : typeof key === 'string' ? Buffer.byteLength(key) : key.length;
}

function bodySize(record: RecordContent, offsetDelta: number): number {
  const key = record.key === null ? 1 : sized(keyLength(record.key));
  return 2 + varintSize(offsetDelta) + key + sized(record.value.length) + headersSize(record.headers);
}

function sized(length: number): number {
  return varintSize(length) + length;
}

function headersSize(headers: RecordContent['headers']): number {
  if (!headers) return 1;
  const entries = Object.entries(headers);
  return entries.reduce(
    (sum, [name, value]) => sum + sized(Buffer.byteLength(name)) + sized(Buffer.byteLength(value)),
    varintSize(entries.length),
  );
}

function writeRecord(writer: WireWriter, record: RecordContent, offsetDelta: number, size: number): void {
  writer.varint(size);
  writer.int8(0);
  writer.varint(0);
  writer.varint(offsetDelta);
  if (record.key === null) {
    writer.varint(-1);
  } else if (typeof record.key === 'string') {
    writeText(writer, record.key);
  } else {
    writer.varint(record.key.length);
    writer.bytes(record.key);
  }
  writer.varint(record.value.length);
  writer.bytes(record.value);
  const headers = Object.entries(record.headers ?? {});
  writer.varint(headers.length);
  for (const [name, value] of headers) {
    writeText(writer, name);
    writeText(writer, value);
  }
}

function writeText(writer: WireWriter, text: string): void {
  writer.varint(Buffer.byteLength(text));
  writer.utf8(text);
}

/** A batch as it lies in a fetch answer. */
export interface BatchHeader {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  /** Where the batch ends in the buffer. */
  readonly end: number;
  /** Of a kind that Sluice never writes: compressed otherwise than by gzip, or a transaction marker. */
  readonly foreign: boolean;
}

/** The batch that starts at `at`; null when it is not whole (an answer is cut at its byte limit). */
export function batchAt(buffer: Buffer, at: number): BatchHeader | null {
  if (at + HEADER_BYTES > buffer.length) return null;
  const end = at + LENGTH_END + buffer.readInt32BE(at + 8);
  if (end > buffer.length) return null;
  const baseOffset = buffer.readBigInt64BE(at);
  const lastOffset = baseOffset + BigInt(buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT));
  const attributes = buffer.readInt16BE(at + ATTRIBUTES_AT);
  const compression = attributes & COMPRESSION_MASK;
  const foreign = (compression !== 0 && compression !== GZIP) || (attributes & CONTROL_MASK) !== 0;
  return { baseOffset, lastOffset, end, foreign };
}

/** Records of a topic-partition with `from` <= offset < `until`. */
export interface OffsetRange extends TopicPartition {
  readonly from: bigint;
  readonly until: bigint;
}

/** A whole batch whose CRC is right, its records as they were before compression. */
export interface OpenBatch extends BatchHeader {
  readonly count: number;
  readonly records: Buffer;
  /** `records` is a buffer of its own, not a part of the log. */
  readonly unzipped: boolean;
  readonly attributes: number;
}

/** @throws SluiceError SEGMENT_BROKEN when the CRC is wrong or the format is none that Sluice writes. */
export function openBatch(buffer: Buffer, at: number, range: OffsetRange): OpenBatch {
  const batch = batchAt(buffer, at);
  if (!batch) throw new RangeError('the batch is not whole');
  const attributes = checkBatch(buffer, at, { ...batch, range });
  const sealed = buffer.subarray(at + HEADER_BYTES, batch.end);
  const unzipped = (attributes & COMPRESSION_MASK) === GZIP;
  const records = unzipped ? gunzipSync(sealed) : sealed;
  return { ...batch, count: buffer.readInt32BE(at + RECORD_COUNT_AT), records, unzipped, attributes };
}

/**
 * What a whole batch holds of the range. Keys and values are views.
 * @throws SluiceError SEGMENT_BROKEN when the CRC is wrong or the format is none that Sluice writes.
 */
export function decodeBatch(buffer: Buffer, at: number, range: OffsetRange): FetchedRecord[] {
  const batch = openBatch(buffer, at, range);
  const logAppendTime = (batch.attributes & LOG_APPEND_TIME_MASK) !== 0;
  const baseTimestamp = buffer.readBigInt64BE(at + BASE_TIMESTAMP_AT);
  const maxTimestamp = buffer.readBigInt64BE(at + MAX_TIMESTAMP_AT);
  const reader = new WireReader(batch.records);
  const records: FetchedRecord[] = [];
  for (let index = 0; index < batch.count; index++) {
    const length = reader.varint();
    const end = reader.at + length;
    reader.at += 1;
    const timestampDelta = reader.varint();
    const offset = batch.baseOffset + BigInt(reader.varint());
    if (offset >= range.until) break;
    if (offset >= range.from) {
      const timestamp = logAppendTime ? maxTimestamp : baseTimestamp + BigInt(timestampDelta);
      records.push({
        offset,
        key: sizedBytes(reader),
        value: sizedBytes(reader),
        headers: readHeaders(reader),
        timestamp,
      });
    }
    reader.at = end;
  }
  return records;
}

type Checked = BatchHeader & { readonly range: OffsetRange };

function checkBatch(buffer: Buffer, at: number, batch: Checked): number {
  if (buffer[at + MAGIC_AT] !== MAGIC) throw refused(batch, 'is of an old format');
  if (crc32c(buffer.subarray(at + ATTRIBUTES_AT, batch.end)) !== buffer.readUInt32BE(at + CRC_AT)) {
    throw refused(batch, 'has a wrong checksum: it was damaged');
  }
  if (batch.foreign) throw refused(batch, 'is compressed in a way that Sluice never uses, or of a transaction');
  return buffer.readInt16BE(at + ATTRIBUTES_AT);
}

function refused({ baseOffset, lastOffset, range }: Checked, why: string): SluiceError {
  const { topic, partition, from } = range;
  const offset = from > baseOffset ? from : baseOffset;
  const what = `the record batch of offsets ${baseOffset} to ${lastOffset} in ${topic}/${partition}`;
  return new SluiceError('SEGMENT_BROKEN', `${what} ${why}`, { context: { topic, partition, offset } });
}

function sizedBytes(reader: WireReader): Buffer | null {
  const length = reader.varint();
  return length < 0 ? null : reader.bytes(length);
}

const NO_HEADERS: FetchedRecord['headers'] = Object.freeze({});

function readHeaders(reader: WireReader): FetchedRecord['headers'] {
  const count = reader.varint();
  if (count === 0) return NO_HEADERS;
  const headers: Record<string, string> = {};
  for (let index = 0; index < count; index++) {
    const name = sizedBytes(reader)?.toString() ?? '';
    headers[name] = sizedBytes(reader)?.toString() ?? '';
  }
  return headers;
}
