import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lane } from '../../services/capture/publish/lane.ts';
import type { EventEncoder } from '../../shared/envelope/codec.ts';
import type { OutgoingEvent } from '../../shared/envelope/outgoing-event.ts';
import { BytePool } from '../../shared/kafka/byte-pool.ts';
import type { SealedSegment } from '../../shared/kafka/interfaces.ts';
import { recordsOf } from '../support/sealed-records.ts';

/** Writes so many bytes as the event's position says. */
const encoder: EventEncoder = {
  encode({ position }, out) {
    out.reserve(Number(position));
    out.buffer.fill(Number(position) % 251, out.at, out.at + Number(position));
    out.at += Number(position);
  },
};

interface Written {
  readonly key: string | null;
  readonly size: number;
}

function write(lane: Lane, { key, size }: Written): void {
  const bytes = Buffer.from(`${key}beyond`);
  const given = key === null ? null : { buffer: bytes, length: Buffer.byteLength(key) };
  expect(lane.write({ position: size } as OutgoingEvent, encoder, given)).toBe(size);
}

function found(segment: SealedSegment): Written[] {
  return recordsOf(segment).map(({ key, value }) => {
    expect(value?.every((byte) => byte === value.length % 251)).toBe(true);
    return { key: key?.toString() ?? null, size: value?.length ?? -1 };
  });
}

const TARGET = 700;

describe('a lane', () => {
  test('gives what was written, in order, split at the mark and at the size of a batch', () => {
    const sizes = fc.oneof(
      fc.nat({ max: 130 }),
      fc.nat({ max: 900 }),
      fc.constantFrom(8_191, 8_192, 70_000, 1_100_000),
    );
    const record = fc.record({ key: fc.option(fc.string({ unit: 'grapheme', maxLength: 90 })), size: sizes });
    const step = fc.oneof(
      { weight: 6, arbitrary: record },
      { weight: 2, arbitrary: fc.constant('mark' as const) },
      { weight: 1, arbitrary: fc.constant('take' as const) },
    );
    // Of all runs: what is written must not depend on what a buffer held before.
    const pool = new BytePool(4 * 1024 * 1024);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const lane = new Lane({ topic: 't', partition: 0 }, TARGET, pool);
        const written: Written[] = [];
        const taken: Written[] = [];
        let marked = 0;
        for (const one of steps) {
          if (one === 'mark') {
            lane.mark();
            marked = written.length;
          } else if (one === 'take') {
            if (marked === taken.length) continue;
            const segment = lane.takeMarked();
            taken.push(...found(segment));
            expect(taken).toEqual(written.slice(0, marked));
            for (const { batch, count } of segment.batches) expect(count === 1 || batch.length <= TARGET).toBe(true);
            segment.release();
          } else {
            write(lane, one);
            written.push(one);
          }
        }
        taken.push(...found(lane.takeAll()));
        expect(taken).toEqual(written);
      }),
    );
  });
});
