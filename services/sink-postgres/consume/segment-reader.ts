import { setImmediate as turn } from 'node:timers/promises';
import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
import type { EventCodec } from '../../../shared/envelope/codec.ts';
import { partitionKey } from '../../../shared/envelope/fold.ts';
import type { Segment } from '../../../shared/envelope/manifest.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import type { FetchedRecord, Fetcher, FetchRange } from '../../../shared/kafka/interfaces.ts';
import { segmentCrc } from '../../../shared/kafka/segment-crc.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import type { CountedBatch } from './feed-item.ts';
import { mergeSegments } from './merge.ts';

/** Which topics a sink takes; null: all of them. */
export interface TakenTopics {
  has(topic: string): boolean;
}

export interface ReadBatch {
  readonly events: ChangeEvent[];
  /** About what the events hold in memory. */
  readonly bytes: number;
}

const TURN_MS = 10;
/** Of a value in memory, beside its text. */
const COLUMN_OVERHEAD = 32;

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
      const fetched = ranges.length > 0 ? await this.#fetcher.ranges(ranges, signal) : [];
      const logs = new RangeLogs(ranges, fetched);
      const read: ReadBatch[] = [];
      for (const [index, batch] of batches.entries()) read.push(await this.#batch(batch, wanted[index]!, logs));
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
      const [records = []] = await this.#fetcher.ranges([segment], signal);
      const events = await this.#decode(batch, segment, records);
      const index = events.findIndex((event) => event.position === position);
      const record = records[index];
      if (record) return { topic: segment.topic, partition: segment.partition, offset: record.offset };
    }
    return null;
  }

  async #batch(batch: CountedBatch, segments: readonly Segment[], logs: RangeLogs): Promise<ReadBatch> {
    let bytes = 0;
    const decoded: ChangeEvent[][] = [];
    for (const segment of segments) {
      const records = logs.take(segment);
      checkSegment(segment, records);
      for (const { value } of records) bytes += value?.length ?? 0;
      const events = await this.#decode(batch, segment, records);
      bytes += events.length * (events[0]?.shape.columns.length ?? 0) * COLUMN_OVERHEAD;
      decoded.push(events);
    }
    return { events: mergeSegments(batch, decoded, this.#taken === null), bytes };
  }

  async #decode(batch: CountedBatch, segment: Segment, records: readonly FetchedRecord[]): Promise<ChangeEvent[]> {
    const { epoch, incarnation } = batch.record;
    const events: ChangeEvent[] = [];
    let since = performance.now();
    for (const { offset, value } of records) {
      if (value === null) throw broken(segment, `the record at offset ${offset} has no value`);
      const answer = this.#codec.decode(value);
      const decoded = answer instanceof Promise ? await answer : answer;
      if (decoded.epoch !== epoch || decoded.incarnation !== incarnation) {
        throw broken(segment, `the event at offset ${offset} is of epoch ${decoded.epoch}, listed under ${epoch}`);
      }
      events.push(decoded.event);
      if ((events.length & 255) === 0 && performance.now() - since > TURN_MS) {
        await turn();
        since = performance.now();
      }
    }
    return events;
  }
}

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

/** Adjacent segments of a topic-partition as one range. */
function mergeRanges(segments: readonly Segment[]): FetchRange[] {
  const ranges: { topic: string; partition: number; offset: bigint; count: number }[] = [];
  const last = new Map<string, (typeof ranges)[number]>();
  for (const { topic, partition, offset, count } of segments) {
    const key = partitionKey(topic, partition);
    const range = last.get(key);
    if (range && range.offset + BigInt(range.count) === offset) {
      range.count += count;
      continue;
    }
    const started = { topic, partition, offset, count };
    ranges.push(started);
    last.set(key, started);
  }
  return ranges;
}

/** Gives out the records of ranges segment by segment, in order. */
class RangeLogs {
  readonly #logs = new Map<string, { readonly offset: bigint; readonly records: FetchedRecord[] }[]>();

  constructor(ranges: readonly FetchRange[], fetched: readonly FetchedRecord[][]) {
    for (const [index, { topic, partition, offset }] of ranges.entries()) {
      const key = partitionKey(topic, partition);
      const logs = this.#logs.get(key) ?? [];
      logs.push({ offset, records: fetched[index] ?? [] });
      this.#logs.set(key, logs);
    }
  }

  take({ topic, partition, offset, count }: Segment): FetchedRecord[] {
    const logs = this.#logs.get(partitionKey(topic, partition)) ?? [];
    const log = logs.find((each) => each.offset <= offset && offset < each.offset + BigInt(each.records.length));
    if (!log) return [];
    const start = Number(offset - log.offset);
    return log.records.slice(start, start + count);
  }
}

/** @throws SluiceError SEGMENT_BROKEN unless the records are exactly what the manifest lists. */
export function checkSegment(segment: Segment, records: readonly FetchedRecord[]): void {
  if (records.length !== segment.count)
    throw broken(segment, `${records.length} of ${segment.count} records are there`);
  for (const [index, { offset }] of records.entries()) {
    const expected = segment.offset + BigInt(index);
    if (offset !== expected) throw broken(segment, `offset ${offset} stands where ${expected} is listed`);
  }
  if (segmentCrc(records) !== segment.crc32c) throw broken(segment, 'its checksum is another one');
}

export function broken({ topic, partition, offset, count }: Segment, why: string): SluiceError {
  const place = `${partitionKey(topic, partition)}, offsets ${offset} to ${offset + BigInt(count) - 1n}`;
  return new SluiceError('SEGMENT_BROKEN', `${place}: ${why}`, { context: { topic, partition, offset } });
}
