import type { Segment } from '../../../shared/envelope/manifest.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FetchRange } from '../../../shared/kafka/interfaces.ts';
import { partitionName } from '../../../shared/kafka/partition-name.ts';
import { pageCrc, type RecordPage } from '../../../shared/kafka/record-pages.ts';

/** Some consecutive records of a page. */
export interface PageSlice {
  readonly page: RecordPage;
  readonly from: number;
  readonly until: number;
}

/** Adjacent segments of a topic-partition as one range. */
export function mergeRanges(segments: readonly Segment[]): FetchRange[] {
  const ranges: { topic: string; partition: number; offset: bigint; count: number }[] = [];
  const last = new Map<string, (typeof ranges)[number]>();
  for (const { topic, partition, offset, count } of segments) {
    const key = partitionName({ topic, partition });
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
export class RangeLogs {
  readonly #logs = new Map<string, RecordPage[]>();

  constructor(ranges: readonly FetchRange[], fetched: readonly RecordPage[][]) {
    for (const [index, { topic, partition }] of ranges.entries()) {
      const key = partitionName({ topic, partition });
      const pages = fetched[index] ?? [];
      const known = this.#logs.get(key);
      if (known) known.push(...pages);
      else this.#logs.set(key, [...pages]);
    }
  }

  /** What is there of the segment. */
  take({ topic, partition, offset, count }: Segment): PageSlice[] {
    const pages = this.#logs.get(partitionName({ topic, partition })) ?? [];
    const end = offset + BigInt(count);
    const slices: PageSlice[] = [];
    for (;;) {
      const [page] = pages;
      if (!page || page.offset >= end) return slices;
      const from = Math.max(0, Number(offset - page.offset));
      const until = Math.min(page.count, Number(end - page.offset));
      if (from < until) slices.push({ page, from, until });
      if (until < page.count) return slices;
      pages.shift();
    }
  }
}

/** @throws SluiceError SEGMENT_BROKEN unless the records are exactly what the manifest lists. */
export function takeSegment(logs: RangeLogs, segment: Segment): PageSlice[] {
  const slices = logs.take(segment);
  let count = 0;
  let crc = 0;
  for (const { page, from, until } of slices) {
    const expected = segment.offset + BigInt(count);
    const offset = page.offset + BigInt(from);
    if (offset !== expected) throw broken(segment, `offset ${offset} stands where ${expected} is listed`);
    count += until - from;
    crc = pageCrc(page, from, until, crc);
  }
  if (count !== segment.count) throw broken(segment, `${count} of ${segment.count} records are there`);
  if (crc !== segment.crc32c) throw broken(segment, 'its checksum is another one');
  return slices;
}

export function broken({ topic, partition, offset, count }: Segment, why: string): SluiceError {
  const place = `${partitionName({ topic, partition })}, offsets ${offset} to ${offset + BigInt(count) - 1n}`;
  return new SluiceError('SEGMENT_BROKEN', `${place}: ${why}`, { context: { topic, partition, offset } });
}
