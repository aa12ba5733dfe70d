import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cursorsOf } from '../../shared/kafka/cursor.ts';
import type { FetchRange } from '../../shared/kafka/interfaces.ts';
import { RecordList } from '../../shared/kafka/range-records.ts';
import { ReadAhead } from '../../shared/kafka/read-ahead.ts';
import { encodeRecordBatch, type RecordContent, resealBatch, sealedRecords } from '../../shared/kafka/record-batch.ts';
import { PLACES, pageCrc, type RecordPage, RecordPages } from '../../shared/kafka/record-pages.ts';
import { segmentCrc } from '../../shared/kafka/segment-crc.ts';

/** A log of record batches of these sizes, from offset `base` on; each record's value is its offset. */
function logOf(sizes: readonly number[], base = 0): Buffer {
  let offset = base;
  return Buffer.concat(
    sizes.map((size) => {
      const records = Array.from({ length: size }, (_, index) => ({
        key: null,
        value: Buffer.from(String(offset + index)),
      }));
      const batch = encodeRecordBatch(records, 1n);
      batch.writeBigInt64BE(BigInt(offset), 0);
      offset += size;
      return batch;
    }),
  );
}

const range = (offset: number, count: number) => ({ topic: 't', partition: 0, offset: BigInt(offset), count });
const listsOf = (ranges: readonly FetchRange[]) => cursorsOf(ranges, () => new RecordList());
const values = ({ records }: RecordList) => records.map(({ value }) => Number(value));
const counting = (offset: number, count: number) => Array.from({ length: count }, (_, index) => offset + index);
const gone = expect.objectContaining({ code: 'KAFKA_RECORDS_GONE' });

describe('reading exact ranges', () => {
  test('takes what is wanted, whatever the batches and the answers', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 });
    const wanted = fc.array(fc.record({ gap: fc.nat({ max: 4 }), count: fc.nat({ max: 8 }) }), { maxLength: 6 });
    fc.assert(
      fc.property(sizes, wanted, fc.integer({ min: 1, max: 400 }), (sizes, wanted, answerBytes) => {
        const log = logOf(sizes);
        const end = sizes.reduce((sum, size) => sum + size, 0);
        let at = 0;
        const ranges = wanted.flatMap(({ gap, count }) => {
          const offset = at + gap;
          at = offset + count;
          return at <= end ? [range(offset, count)] : [];
        });
        const { cursors, results } = listsOf(ranges);
        const starts = batchStarts(log);
        for (const cursor of cursors) {
          while (!cursor.done) {
            // As a broker: from the batch that holds the wanted offset, one whole batch at least, perhaps cut.
            const from = starts.findLast((start) => log.readBigInt64BE(start) <= cursor.wanted)!;
            const first = starts.find((start) => start > from) ?? log.length;
            cursor.take(log.subarray(from, Math.max(first, from + answerBytes)), 0);
          }
        }
        expect(results.map(values)).toEqual(ranges.map(({ offset, count }) => counting(Number(offset), count)));
      }),
    );
  });

  test('pages hold what records hold, and have its checksum', () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)));
    const record = fc.record({
      key: bytes,
      value: fc.oneof(
        { weight: 9, arbitrary: fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)) },
        { weight: 1, arbitrary: fc.integer({ min: 15_000, max: 40_000 }).map((size) => Buffer.alloc(size, 7)) },
      ),
      headers: fc.constantFrom({}, { name: 'x' }),
    });
    const batches = fc.array(
      fc.record({ records: fc.array(record, { minLength: 1, maxLength: 5 }), zipped: fc.boolean() }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(batches, fc.nat(), fc.nat(), (batches, start, length) => {
        const log = logOfBatches(batches);
        const end = batches.reduce((sum, { records }) => sum + records.length, 0);
        const offset = start % end;
        const ranges = [range(offset, 1 + (length % (end - offset)))];
        if (ranges[0]!.count > 2) ranges.splice(0, 1, range(offset, 2), range(offset + 2, ranges[0]!.count - 2));
        const lists = listsOf(ranges);
        lists.cursors[0]!.take(log, 0);
        const pages = cursorsOf(ranges, () => new RecordPages());
        pages.cursors[0]!.take(Buffer.from(log), 0);
        for (const [index, { records }] of lists.results.entries()) {
          const read = pages.results[index]!;
          expect(read.count).toBe(records.length);
          expect(read.pages.flatMap(contents)).toEqual(
            records.map(({ offset, key, value }) => [offset, key?.toString('latin1') ?? '', value?.toString('latin1')]),
          );
          const crc = read.pages.reduce((before, page) => pageCrc(page, 0, page.count, before), 0);
          expect(crc).toBe(segmentCrc(records));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('stops where the log begins above what is wanted, or leaves records out', () => {
    const late = listsOf([range(3, 2)]).cursors[0]!;
    expect(() => late.take(logOf([4], 4), 0)).toThrow(gone);
    const holed = listsOf([range(0, 6)]).cursors[0]!;
    expect(() => holed.take(Buffer.concat([logOf([2], 0), logOf([2], 3)]), 0)).toThrow(gone);
  });

  test('keeps what came beyond it for the next call', () => {
    const ahead = new ReadAhead(10_000);
    const log = logOf([2, 3, 4]);
    const first = listsOf([range(0, 3)]);
    ahead.keep(first.cursors[0]!, log, first.cursors[0]!.take(log, 0));
    const second = listsOf([range(3, 4)]);
    ahead.serve(second.cursors[0]!);
    expect(values(second.results[0]!)).toEqual([3, 4, 5, 6]);
    const third = listsOf([range(7, 4)]);
    ahead.serve(third.cursors[0]!);
    expect(values(third.results[0]!)).toEqual([7, 8]);
    expect(third.cursors[0]!.wanted).toBe(9n);
  });

  test('keeps nothing that begins above what is wanted next', () => {
    const ahead = new ReadAhead(10_000);
    const log = logOf([2, 2]);
    const first = listsOf([range(0, 2)]);
    ahead.keep(first.cursors[0]!, log, first.cursors[0]!.take(log, 0));
    const again = listsOf([range(1, 2)]);
    ahead.serve(again.cursors[0]!);
    expect(again.cursors[0]!.wanted).toBe(1n);
  });

  test('never keeps more bytes than it may', () => {
    const log = logOf([2, 2]);
    const ahead = new ReadAhead(log.length / 2 + 10);
    const keep = (topic: string) => {
      const { cursors } = listsOf([{ ...range(0, 2), topic }]);
      ahead.keep(cursors[0]!, log, cursors[0]!.take(log, 0));
    };
    keep('a');
    keep('b');
    const served = (topic: string) => {
      const { cursors } = listsOf([{ ...range(2, 2), topic }]);
      ahead.serve(cursors[0]!);
      return cursors[0]!.done;
    };
    expect([served('a'), served('b')]).toEqual([false, true]);
  });
});

function logOfBatches(batches: readonly { records: readonly RecordContent[]; zipped: boolean }[]): Buffer {
  let offset = 0;
  return Buffer.concat(
    batches.map(({ records, zipped }) => {
      const plain = encodeRecordBatch(records, 1n);
      const batch = zipped ? resealBatch(plain, gzipSync(sealedRecords(plain))) : plain;
      batch.writeBigInt64BE(BigInt(offset), 0);
      offset += records.length;
      return batch;
    }),
  );
}

function contents({ bytes, offset, count, bounds }: RecordPage) {
  return counting(0, count).map((index) => {
    const [keyAt = 0, keyEnd = 0, valueAt = 0, valueEnd = 0] = bounds.subarray(index * PLACES);
    const value = valueAt < 0 ? undefined : bytes.toString('latin1', valueAt, valueEnd);
    return [offset + BigInt(index), bytes.toString('latin1', keyAt, keyEnd), value];
  });
}

function batchStarts(log: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at < log.length; at += 12 + log.readInt32BE(at + 8)) starts.push(at);
  return starts;
}
