import { describe, expect, test } from 'vitest';
import type { CountedBatch } from '../../services/sink-postgres/consume/feed-item.ts';
import { mergeSegments } from '../../services/sink-postgres/consume/merge.ts';
import type { PackedEvent } from '../../shared/envelope/packed-event.ts';

const at = (position: number) => ({ position }) as PackedEvent;
const batch = { offset: 9n, record: { batch: 1n, first: 11n, last: 14n } } as CountedBatch;
const positions = (segments: number[][], dense = true) =>
  mergeSegments(
    batch,
    segments.map((segment) => segment.map(at)),
    dense,
  ).map(({ position }) => position);

describe('mergeSegments', () => {
  test('brings the events of all segments into the order of their positions', () => {
    expect(positions([[11, 14], [12], [13]])).toEqual([11, 12, 13, 14]);
    expect(positions([[11, 12, 13, 14]])).toEqual([11, 12, 13, 14]);
  });

  test.each([
    ['one is missing', [[11, 14], [12]]],
    ['one is missing in a single segment', [[11, 12, 14]]],
    [
      'one stands twice',
      [
        [11, 12, 13],
        [13, 14],
      ],
    ],
    ['they do not rise', [[12, 11, 13, 14]]],
    [
      'one is past the last',
      [
        [11, 12],
        [13, 15],
      ],
    ],
    ['one is before the first', [[10, 11, 12, 13, 14]]],
  ])('refuses a batch when %s', (_, segments) => {
    expect(() => positions(segments)).toThrowError(expect.objectContaining({ code: 'SEGMENT_BROKEN' }));
  });

  test('a sink of some tables passes over positions of the others', () => {
    expect(positions([[14], [12]], false)).toEqual([12, 14]);
    expect(positions([], false)).toEqual([]);
  });
});
