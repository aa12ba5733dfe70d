import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byReading, SentEnds, segmentsOf } from '../../services/capture/snapshot/chunk-groups.ts';
import type { TableReading } from '../../services/capture/snapshot/table-reading.ts';
import { emptyManifest } from '../../shared/envelope/fold.ts';
import type { OutgoingRecord, Written } from '../../shared/kafka/interfaces.ts';
import { segmentCrc } from '../../shared/kafka/segment-crc.ts';

const topic = 'task.snapshot';
/** For each group the partitions of its records. */
const groupsOf = fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 });

function recordsOf(groups: readonly (readonly number[])[]): OutgoingRecord[][] {
  return groups.map((partitions, group) =>
    partitions.map((partition, i) => ({ topic, partition, key: `t${group}`, value: Buffer.from(`${group}:${i}`) })),
  );
}

/** What a producer writes of the records, and answers. */
function write(records: readonly OutgoingRecord[], firstOffset: bigint) {
  const logs = new Map<number, OutgoingRecord[]>();
  for (const record of records) logs.set(record.partition, [...(logs.get(record.partition) ?? []), record]);
  const written: Written[] = [...logs].map(([partition, log]) => {
    const offset = firstOffset + BigInt(partition);
    return { topic, partition, offset, count: log.length, crc32c: segmentCrc(log), bytes: 0 };
  });
  const at = (partition: number, offset: bigint) => logs.get(partition)?.[Number(offset - firstOffset) - partition];
  return { written, at };
}

test('each group of a send gets segments of its own records and no others', () => {
  fc.assert(
    fc.property(groupsOf, fc.bigInt({ min: 0n, max: 1n << 40n }), (partitions, firstOffset) => {
      const groups = recordsOf(partitions);
      const { written, at } = write(groups.flat(), firstOffset);
      const segments = segmentsOf(groups, written);
      for (const [i, records] of groups.entries()) {
        const listed = (segments[i] ?? []).flatMap(({ partition, offset, count }) =>
          Array.from({ length: count }, (_, nth) => at(partition, offset + BigInt(nth))),
        );
        expect(new Set(listed)).toEqual(new Set(records));
        expect(listed.length).toBe(records.length);
        for (const { partition, crc32c } of segments[i] ?? [])
          expect(crc32c).toBe(segmentCrc(records.filter((record) => record.partition === partition)));
      }
    }),
  );
});

test('chunks of one reading stand together, in their order', () => {
  const [one, two] = [{}, {}] as [TableReading, TableReading];
  const chunk = (text: string) => ({ bytes: Buffer.from(text), rows: 1, release: () => undefined });
  const chunks = ['a', 'b', 'c', 'd'].map(chunk);
  const queued = [one, two, one, two].map((reading, i) => ({ reading, chunk: chunks[i]! }));
  expect(byReading(queued)).toEqual([
    { reading: one, chunks: [chunks[0], chunks[2]] },
    { reading: two, chunks: [chunks[1], chunks[3]] },
  ]);
});

test('nothing may start below what was sent, listed or not', () => {
  const state = emptyManifest();
  state.ends.set(`${topic}/1`, { topic, partition: 1, end: 7n, epoch: 'e', positions: null });
  const ends = new SentEnds(state);
  ends.raise({ topic, partition: 2, offset: 3n, count: 2, crc32c: 0, bytes: 0 });
  expect([0, 1, 2].map((partition) => ends.floor(topic, partition))).toEqual([0n, 7n, 5n]);
});
