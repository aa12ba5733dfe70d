import { expect } from 'vitest';
import type { FetchedRecord, SealedSegment } from '../../shared/kafka/interfaces.ts';
import { decodeBatch } from '../../shared/kafka/record-batch.ts';
import { segmentCrc } from '../../shared/kafka/segment-crc.ts';

/** The records of a segment as a reader finds them; counts, sizes and checksums are as the segment says. */
export function recordsOf({ topic, partition, batches }: SealedSegment): FetchedRecord[] {
  const all: FetchedRecord[] = [];
  for (const { batch, count, bytes, crc32c } of batches) {
    const found = decodeBatch(batch, 0, { topic, partition, from: 0n, until: BigInt(count) + 1n });
    expect(found.map(({ offset }) => offset)).toEqual(Array.from({ length: count }, (_, i) => BigInt(i)));
    expect(bytes).toBe(found.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0));
    all.push(...found);
    expect(crc32c).toBe(segmentCrc(all));
  }
  return all;
}
