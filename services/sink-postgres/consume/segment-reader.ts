import { setImmediate as turn } from 'node:timers/promises';
import { type EventCodec, REGISTRY_REQUESTS } from '../../../shared/envelope/codec.ts';
import type { EventScanner } from '../../../shared/envelope/event-scanner.ts';
import type { Segment } from '../../../shared/envelope/manifest.ts';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import type { FetchedRecord, Fetcher } from '../../../shared/kafka/interfaces.ts';
import { PLACES, type RecordPage } from '../../../shared/kafka/record-pages.ts';
import { segmentCrc } from '../../../shared/kafka/segment-crc.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import { severalAtOnce } from '../../../shared/several-at-once.ts';
import type { CountedBatch } from './feed-item.ts';
import { mergeSegments } from './merge.ts';
import { broken, mergeRanges, type PageSlice, RangeLogs, takeSegment } from './segment-pages.ts';

/** Which topics a sink takes; null: all of them. */
export interface TakenTopics {
  has(topic: string): boolean;
}

export interface ReadBatch {
  readonly events: PackedEvent[];
  /** About what the events hold in memory. */
  readonly bytes: number;
}

const TURN_MS = 10;
/** Of an event in memory, beside its record. */
const EVENT_OVERHEAD = 150;

/** Reads the events that batches list, and believes nothing that the manifest does not say. */
export class SegmentReader {
  readonly #fetcher: Fetcher;
  readonly #codec: EventCodec;
  readonly #taken: TakenTopics | null;

  constructor({ fetcher, codec, taken }: { fetcher: Fetcher; codec: EventCodec; taken: TakenTopics | null }) {
    this.#fetcher = fetcher;
    this.#codec = codec;
    this.#taken = taken;
  }

  /**
   * The events of each batch that the sink takes, in order of position. `batches` stand in order; all are fetched at
   * once, so the caller bounds them.
   * @throws SluiceError SEGMENT_BROKEN, KAFKA_*, REGISTRY_*
   */
  async read(batches: readonly CountedBatch[], signal: AbortSignal): Promise<ReadBatch[]> {
    const wanted = batches.map(({ record }) => record.segments.filter(({ topic }) => this.#taken?.has(topic) ?? true));
    const ranges = mergeRanges(wanted.flat());
    try {
      const fetched = ranges.length > 0 ? await this.#fetcher.pages(ranges, signal) : [];
      await this.#knowSchemas(fetched.flat());
      const logs = new RangeLogs(ranges, fetched);
      const read: ReadBatch[] = [];
      let since = performance.now();
      for (const [index, batch] of batches.entries()) {
        read.push(await this.#batch(batch, wanted[index]!, logs));
        if (performance.now() - since < TURN_MS) continue;
        await turn();
        since = performance.now();
      }
      return read;
    } catch (error) {
      throw inBatch(error, batches);
    }
  }

  /** Where the event of a position stands; null: in no segment that the sink takes. */
  async locate(
    batch: CountedBatch,
    position: bigint,
    signal: AbortSignal,
  ): Promise<{ readonly topic: string; readonly partition: number; readonly offset: bigint } | null> {
    for (const segment of batch.record.segments) {
      if (this.#taken?.has(segment.topic) === false) continue;
      const fetched = await this.#fetcher.pages([segment], signal);
      const slices = new RangeLogs([segment], fetched).take(segment);
      const events = await this.#decode(batch, segment, slices);
      const index = events.findIndex((event) => BigInt(event.position) === position);
      const { topic, partition, offset } = segment;
      if (index >= 0) return { topic, partition, offset: offset + BigInt(index) };
    }
    return null;
  }

  /** Those of first records, several at a time: the events of a thousand tables need a thousand. */
  async #knowSchemas(pages: readonly RecordPage[]): Promise<void> {
    await severalAtOnce(pages, REGISTRY_REQUESTS, async ({ bytes, bounds }) => {
      const start = bounds[2] ?? -1;
      const end = bounds[3] ?? -1;
      // What is wrong with it is found when its turn comes, and told with its place.
      if (start >= 0 && end - start >= SCHEMA_ID_END && bytes[start] === 0)
        await this.#codec.scanner(bytes, start, end);
    });
  }

  async #batch(batch: CountedBatch, segments: readonly Segment[], logs: RangeLogs): Promise<ReadBatch> {
    let bytes = 0;
    const decoded: PackedEvent[][] = [];
    for (const segment of segments) {
      const slices = takeSegment(logs, segment);
      const events = await this.#decode(batch, segment, slices);
      for (const { size } of events) bytes += size + EVENT_OVERHEAD;
      decoded.push(events);
    }
    return { events: mergeSegments(batch, decoded, this.#taken === null), bytes };
  }

  async #decode(batch: CountedBatch, segment: Segment, slices: readonly PageSlice[]): Promise<PackedEvent[]> {
    const { epoch, incarnation } = batch.record;
    const events: PackedEvent[] = [];
    let scanner: EventScanner | null = null;
    let schema = -1;
    let attempt: EventScanner['attempt'] = null;
    for (const { page, from, until } of slices) {
      const { bytes, bounds } = page;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let index = from; index < until; index++) {
        const start = bounds[index * PLACES + 2] as number;
        const end = bounds[index * PLACES + 3] as number;
        if (start < 0) throw broken(segment, `the record at offset ${offsetOf(page, index)} has no value`);
        const id = end - start < SCHEMA_ID_END ? -1 : view.getUint32(start + 1);
        if (!scanner || id !== schema || bytes[start] !== 0) {
          scanner = await this.#codec.scanner(bytes, start, end);
          schema = id;
          attempt = null;
        }
        events.push(scanner.scan(bytes, view, start, end));
        if (scanner.attempt === attempt) continue;
        attempt = scanner.attempt;
        if (attempt?.epoch === epoch && attempt.incarnation === incarnation) continue;
        const place = `the event at offset ${offsetOf(page, index)}`;
        throw broken(segment, `${place} is of epoch ${attempt?.epoch}, listed under ${epoch}`);
      }
    }
    return events;
  }
}

function offsetOf({ offset }: RecordPage, index: number): bigint {
  return offset + BigInt(index);
}

/** A zero byte and the schema id. */
const SCHEMA_ID_END = 5;

/** The error with the batch that its topic, partition and offset belong to. */
function inBatch(error: unknown, batches: readonly CountedBatch[]): unknown {
  if (!isSluiceError(error)) return error;
  const { topic, partition, offset } = error.context;
  if (typeof offset !== 'bigint') return error;
  const holds = (segment: Segment) =>
    segment.topic === topic &&
    segment.partition === partition &&
    segment.offset <= offset &&
    offset < segment.offset + BigInt(segment.count);
  const batch = batches.find(({ record }) => record.segments.some(holds));
  if (!batch) return error;
  const { first, last, lsn } = batch.record;
  const place = `positions ${first} to ${last}, LSN up to ${formatLsn(lsn)}, manifest offset ${batch.offset}`;
  const context = { ...error.context, position: first, manifestOffset: batch.offset };
  return new SluiceError(error.code, `${error.message} (${place})`, {
    context,
    cause: error.cause,
    remedy: error.remedy,
  });
}

/** Of records that are read as objects. @throws SluiceError SEGMENT_BROKEN unless they are exactly what the manifest lists. */
export function checkSegment(segment: Segment, records: readonly FetchedRecord[]): void {
  if (records.length !== segment.count)
    throw broken(segment, `${records.length} of ${segment.count} records are there`);
  for (const [index, { offset }] of records.entries()) {
    const expected = segment.offset + BigInt(index);
    if (offset !== expected) throw broken(segment, `offset ${offset} stands where ${expected} is listed`);
  }
  if (segmentCrc(records) !== segment.crc32c) throw broken(segment, 'its checksum is another one');
}
