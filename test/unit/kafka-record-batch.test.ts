import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compressBatch } from '../../shared/kafka/compression.ts';
import type { OutgoingRecord } from '../../shared/kafka/interfaces.ts';
import { batchRounds, groupBySize } from '../../shared/kafka/outgoing.ts';
import {
  batchAt,
  contentBytes,
  decodeBatch,
  encodeRecordBatch,
  recordOverhead,
} from '../../shared/kafka/record-batch.ts';
import { segmentCrc } from '../../shared/kafka/segment-crc.ts';

const load = createRequire(import.meta.url);
const Decoder = load('kafkajs/src/protocol/decoder');
const decodeByKafkajs = load('kafkajs/src/protocol/recordBatch/v0/decoder');

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const headers = fc.dictionary(fc.string({ minLength: 1, maxLength: 10 }), fc.string({ maxLength: 10 }), { maxKeys: 3 });
const content = fc.record({ key: fc.oneof(bytes, fc.string(), fc.constant(null)), value: bytes, headers });
const contents = fc.array(content, { minLength: 1, maxLength: 200 });
const t0 = { topic: 't', partition: 0 };
const all = { ...t0, from: 0n, until: 1n << 60n };
const keyBytes = (key: Buffer | string | null) => (key === null ? null : Buffer.from(key as Buffer));

describe('a record batch', () => {
  test('comes back as it was, from any offset on', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat({ max: 200 }), (records, base, skipped) => {
        const batch = encodeRecordBatch(records, 1n);
        batch.writeBigInt64BE(BigInt(base), 0);
        const from = BigInt(base + skipped);
        const decoded = decodeBatch(batch, 0, { ...t0, from, until: from + 5n });
        expect(decoded).toEqual(
          records.slice(skipped, skipped + 5).map(({ key, value, headers }, index) => ({
            offset: from + BigInt(index),
            key: keyBytes(key),
            value,
            headers: { ...headers },
            timestamp: 1n,
          })),
        );
        expect(batchAt(batch, 0)).toEqual({
          baseOffset: BigInt(base),
          lastOffset: BigInt(base + records.length - 1),
          end: batch.length,
          foreign: false,
        });
        expect(batchAt(batch.subarray(0, -1), 0)).toBeNull();
      }),
    );
  });

  test('compressed comes back as it was, and another implementation reads it; what gains little stays as it is', async () => {
    const records = [{ key: 'k', value: Buffer.from('0123456789abcdef'.repeat(1000)) }];
    const plain = encodeRecordBatch(records, 1n);
    const compressed = await compressBatch(plain);
    expect(compressed.length).toBeLessThan(plain.length / 2);
    expect(batchAt(compressed, 0)?.end).toBe(compressed.length);
    expect(decodeBatch(compressed, 0, all)).toEqual(decodeBatch(plain, 0, all));
    const { records: read } = await decodeByKafkajs(new Decoder(Buffer.from(compressed)));
    expect(read[0].value).toEqual(records[0]!.value);
    compressed[compressed.length - 1]! ^= 1;
    expect(() => decodeBatch(compressed, 0, all)).toThrow(/checksum/);
    const random = encodeRecordBatch([{ key: null, value: randomBytes(10_000) }], 1n);
    expect(await compressBatch(random)).toBe(random);
  });

  test('is what another implementation reads', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (records) => {
        const { records: read } = await decodeByKafkajs(new Decoder(encodeRecordBatch(records, 5n)));
        expect(read.map(({ key, value }: { key: unknown; value: unknown }) => ({ key, value }))).toEqual(
          records.map(({ key, value }) => ({ key: keyBytes(key), value })),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('with a changed byte is refused', () => {
    const batch = encodeRecordBatch([{ key: 'k', value: Buffer.from('value') }], 1n);
    batch[batch.length - 3]! ^= 1;
    expect(() => decodeBatch(batch, 0, all)).toThrow(
      expect.objectContaining({ code: 'SEGMENT_BROKEN', message: expect.stringContaining('offsets 0 to 0 in t/0') }),
    );
  });

  test('is never larger than was reckoned', () => {
    fc.assert(
      fc.property(contents, (records) => {
        const reckoned = records.reduce((sum, each) => sum + contentBytes(each) + recordOverhead(each), 61);
        expect(encodeRecordBatch(records, 1n).length).toBeLessThanOrEqual(reckoned);
      }),
    );
  });
});

describe('the checksum of a segment', () => {
  test('is CRC-32C over keys and values, in one part or in two', () => {
    fc.assert(
      fc.property(contents, fc.nat({ max: 200 }), (records, cut) => {
        const parts = records.flatMap(({ key, value }) => [keyBytes(key) ?? Buffer.alloc(0), value]);
        const expected = crc32c(Buffer.concat(parts));
        expect(segmentCrc(records)).toBe(expected);
        expect(segmentCrc(records.slice(cut), segmentCrc(records.slice(0, cut)))).toBe(expected);
      }),
    );
  });

  test('reaches over records of any size', () => {
    const values = [1, 300_000, 5, 262_144, 262_143, 0, 700_000].map((size, fill) => Buffer.alloc(size, fill + 1));
    expect(segmentCrc(values.map((value) => ({ key: 'é', value })))).toBe(
      crc32c(Buffer.concat(values.flatMap((value) => [Buffer.from('é'), value]))),
    );
  });
});

describe('batches of a send', () => {
  const record = (topic: string, partition: number, size: number): OutgoingRecord => {
    return { topic, partition, key: null, value: Buffer.alloc(size) };
  };

  test('hold each topic-partition once a round, in order', () => {
    const place = fc.record({
      topic: fc.constantFrom('a', 'b'),
      partition: fc.nat({ max: 2 }),
      size: fc.nat({ max: 3000 }),
    });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 60 }), (places) => {
        const records = places.map(({ topic, partition, size }) => record(topic, partition, size));
        const rounds = batchRounds(records, { targetBytes: 4000, maxBytes: 5000 });
        const sent = new Map<string, OutgoingRecord[]>();
        for (const round of rounds) {
          const names = round.map(({ topic, partition }) => `${topic}/${partition}`);
          expect(new Set(names).size).toBe(names.length);
          for (const [index, batch] of round.entries()) {
            expect(encodeRecordBatch(batch.records, 1n).length).toBeLessThanOrEqual(5000);
            sent.set(names[index]!, [...(sent.get(names[index]!) ?? []), ...batch.records]);
          }
        }
        for (const [name, got] of sent) {
          expect(got).toEqual(records.filter(({ topic, partition }) => `${topic}/${partition}` === name));
        }
        expect([...sent.values()].flat()).toHaveLength(records.length);
      }),
    );
  });

  test('refuse a record that fits into none', () => {
    expect(() => batchRounds([record('a', 0, 5000)], { targetBytes: 4000, maxBytes: 5000 })).toThrow(
      expect.objectContaining({ code: 'KAFKA_RECORD_TOO_LARGE' }),
    );
  });

  test('are grouped by size, a large one alone', () => {
    const sized = [3, 4, 5, 20, 1, 9, 1].map((size) => ({ size }));
    expect(groupBySize(sized, 10).map((group) => group.map(({ size }) => size))).toEqual([
      [3, 4],
      [5],
      [20],
      [1, 9],
      [1],
    ]);
  });
});
