import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Fetcher, OutgoingRecord, Producer, TopicAdmin, Written } from '../../shared/kafka/interfaces.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { segmentCrc } from '../../shared/kafka/segment-crc.ts';
import { kafkaSettings } from '../support/kafka-settings.ts';
import { readTopics } from '../support/topic-records.ts';

const prefix = `kafka-${randomUUID().slice(0, 8)}`;
const topic = (name: string) => `${prefix}.public.${name}`;
const kafka = openKafka(kafkaSettings(inject('servers').brokers), 'test');
const noFloors = { floor: () => 0n };
const failure = (code: string) => expect.objectContaining({ code });
const soon = () => AbortSignal.timeout(90_000);

let admin: TopicAdmin;
let producer: Producer;
let fetcher: Fetcher;

beforeAll(async () => {
  [admin, producer, fetcher] = await Promise.all([kafka.admin(), kafka.producer(), kafka.fetcher()]);
});

afterAll(async () => {
  await admin.deleteTopics(await admin.withPrefix(`${prefix}.`));
  await Promise.all([admin.close(), producer.close(), fetcher.close()]);
});

function records(name: string, partitions: number, count: number, size = 100): OutgoingRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    topic: topic(name),
    partition: index % partitions,
    key: index % 3 === 0 ? null : `["${index}"]`,
    value: Buffer.alloc(size, String(index)),
    ...(index % 5 === 0 ? { headers: { 'sluice-chunk': `é${index}` } } : {}),
  }));
}

describe('what is written', () => {
  test('is what is read, by exact ranges and by another client', async () => {
    await admin.ensureTopics(['a', 'b'].map((name) => ({ topic: topic(name), partitions: 3 })));
    const sent = [...records('a', 3, 4_000), ...records('b', 2, 1_000)];
    const written = await producer.send(sent, noFloors);
    expect(written).toHaveLength(5);
    const read = await fetcher.ranges(written, soon());
    for (const [index, segment] of written.entries()) {
      const expected = sent.filter((each) => each.topic === segment.topic && each.partition === segment.partition);
      expect(segment).toMatchObject({ count: expected.length, crc32c: segmentCrc(expected) });
      expect(segmentCrc(read[index]!)).toBe(segment.crc32c);
      expect(
        read[index]!.map(({ offset, key, value, headers }) => ({
          offset,
          key: key?.toString() ?? null,
          value,
          headers,
        })),
      ).toEqual(
        expected.map(({ key, value, headers }, at) => ({
          offset: segment.offset + BigInt(at),
          key,
          value,
          headers: { ...headers },
        })),
      );
    }
    const others = new Map<string, Buffer[]>();
    await readTopics(inject('servers').brokers, `${prefix}.`, (name, partition, { value }) => {
      const key = `${name}/${partition}`;
      others.set(key, [...(others.get(key) ?? []), value]);
    });
    for (const [index, { topic, partition }] of written.entries()) {
      expect(others.get(`${topic}/${partition}`)).toEqual(read[index]!.map(({ value }) => value));
    }
  });

  test('larger than a request is one segment, in order', async () => {
    await admin.ensureTopics([{ topic: topic('large'), partitions: 1 }]);
    const sent = records('large', 1, 60, 700_000);
    const [segment, ...more] = await producer.send(sent, noFloors);
    expect(more).toEqual([]);
    expect(segment).toMatchObject({ offset: 0n, count: 60, crc32c: segmentCrc(sent), bytes: expect.any(Number) });
    const [read] = await fetcher.ranges([segment!], soon());
    expect(read!.map(({ value }) => value!.equals(sent[0]!.value)).filter(Boolean).length).toBeGreaterThan(0);
    expect(segmentCrc(read!)).toBe(segment!.crc32c);
  });

  test('in one record of many megabytes comes back', async () => {
    await admin.ensureTopics([{ topic: topic('huge'), partitions: 2 }]);
    const value = Buffer.alloc(30_000_000, 'abc');
    const place = { topic: topic('huge'), key: null };
    const written = await producer.send(
      [0, 1].map((partition) => ({ ...place, partition, value })),
      noFloors,
    );
    const read = await fetcher.ranges(written, soon());
    for (const [record] of read) expect(record?.value?.equals(value)).toBe(true);
  });
});

describe('reading', () => {
  test('takes any ranges of a log of many batches', async () => {
    await admin.ensureTopics([{ topic: topic('ranges'), partitions: 1 }]);
    for (let send = 0; send < 20; send++) await producer.send(records('ranges', 1, 37), noFloors);
    const place = { topic: topic('ranges'), partition: 0 };
    const ranges = [
      { ...place, offset: 5n, count: 100 },
      { ...place, offset: 105n, count: 1 },
      { ...place, offset: 300n, count: 37 },
      { ...place, offset: 739n, count: 1 },
      { ...place, offset: 2n, count: 0 },
      { ...place, offset: 0n, count: 740 },
    ];
    const read = await fetcher.ranges(ranges, soon());
    for (const [index, { offset, count }] of ranges.entries()) {
      expect(read[index]!.map((record) => record.offset)).toEqual(
        Array.from({ length: count }, (_, at) => offset + BigInt(at)),
      );
    }
  });

  test('waits for what is not there yet', async () => {
    await admin.ensureTopics([{ topic: topic('later'), partitions: 1 }]);
    const place = { topic: topic('later'), partition: 0 };
    const reading = fetcher.ranges([{ ...place, offset: 0n, count: 2 }], soon());
    const [first] = await producer.send(records('later', 1, 1), noFloors);
    await producer.send(records('later', 1, 1), { floor: () => first!.offset + 1n });
    expect((await reading)[0]).toHaveLength(2);
  });

  test('ends at once when it is aborted', async () => {
    await admin.ensureTopics([{ topic: topic('never'), partitions: 1 }]);
    const place = { topic: topic('never'), partition: 0 };
    const stop = new AbortController();
    const started = performance.now();
    const reading = fetcher.ranges([{ ...place, offset: 0n, count: 1 }], stop.signal);
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    expect(performance.now() - started).toBeLessThan(200);
    await expect(fetcher.tail({ ...place, offset: 0n, maxBytes: 1e6, maxWaitMs: 100 }, stop.signal)).rejects.toThrow(
      'enough',
    );
  });

  test('the tail gives what stands there, or nothing', async () => {
    await admin.ensureTopics([{ topic: topic('tail'), partitions: 1 }]);
    const from = { topic: topic('tail'), partition: 0, maxBytes: 100_000, maxWaitMs: 50 };
    expect(await fetcher.tail({ ...from, offset: 0n }, soon())).toEqual([]);
    await producer.send(records('tail', 1, 10), noFloors);
    expect((await fetcher.tail({ ...from, offset: 3n }, soon())).map(({ offset }) => offset)).toEqual([
      3n,
      4n,
      5n,
      6n,
      7n,
      8n,
      9n,
    ]);
    expect(await fetcher.watermarks(from)).toEqual({ low: 0n, high: 10n });
  });

  test('says which records are gone', async () => {
    await admin.ensureTopics([{ topic: topic('gone'), partitions: 1 }]);
    const place = { topic: topic('gone'), partition: 0 };
    await producer.send(records('gone', 1, 10), noFloors);
    await deleteRecords(place.topic, '6');
    expect(await fetcher.watermarks(place)).toEqual({ low: 6n, high: 10n });
    const gone = expect.objectContaining({
      code: 'KAFKA_RECORDS_GONE',
      message: expect.stringContaining(`${place.topic}/0`),
    });
    await expect(fetcher.ranges([{ ...place, offset: 5n, count: 2 }], soon())).rejects.toEqual(gone);
    await expect(fetcher.tail({ ...place, offset: 2n, maxBytes: 1e6, maxWaitMs: 50 }, soon())).rejects.toEqual(gone);
    await expect(fetcher.ranges([{ ...place, offset: 12n, count: 1 }], soon())).rejects.toEqual(gone);
  });

  test('says which topic is missing', async () => {
    const place = { topic: topic('missing'), partition: 0 };
    await expect(fetcher.ranges([{ ...place, offset: 0n, count: 1 }], soon())).rejects.toEqual(
      failure('KAFKA_TOPIC_MISSING'),
    );
  });
});

describe('a producer', () => {
  test('ends with the first answer that does not fit, and writes nothing more', async () => {
    await admin.ensureTopics([{ topic: topic('floor'), partitions: 1 }]);
    const one = await kafka.producer();
    await one.send(records('floor', 1, 3), noFloors);
    await expect(one.send(records('floor', 1, 1), { floor: () => 4n })).rejects.toEqual(
      failure('KAFKA_PRODUCE_FAILED'),
    );
    await expect(one.send(records('floor', 1, 1), noFloors)).rejects.toEqual(failure('KAFKA_PRODUCE_FAILED'));
    expect(await fetcher.watermarks({ topic: topic('floor'), partition: 0 })).toEqual({ low: 0n, high: 4n });
    await one.close();
  });

  test('refuses two sends at once', async () => {
    await admin.ensureTopics([{ topic: topic('twice'), partitions: 1 }]);
    const one = await kafka.producer();
    const first = one.send(records('twice', 1, 1), noFloors);
    await expect(one.send(records('twice', 1, 1), noFloors)).rejects.toEqual(failure('INTERNAL'));
    expect(await first).toHaveLength(1);
    await one.close();
  });

  test('says which topic is missing, and what is too large', async () => {
    const [one, other] = await Promise.all([kafka.producer(), kafka.producer()]);
    await expect(one.send(records('unknown', 1, 1), noFloors)).rejects.toEqual(failure('KAFKA_TOPIC_MISSING'));
    await admin.ensureTopics([{ topic: topic('small'), partitions: 1 }]);
    const large = records('small', 1, 1, 70_000_000);
    await expect(other.send(large, noFloors)).rejects.toEqual(failure('KAFKA_RECORD_TOO_LARGE'));
    await Promise.all([one.close(), other.close()]);
  });

  test('writes to topics made after it was opened', async () => {
    const written: Written[] = [];
    for (const name of ['new1', 'new2', 'new3']) {
      await admin.ensureTopics([{ topic: topic(name), partitions: 2 }]);
      written.push(...(await producer.send(records(name, 2, 2), noFloors)));
    }
    expect(written).toHaveLength(6);
  });
});

async function deleteRecords(name: string, offset: string): Promise<void> {
  const { default: kafkajs } = await import('kafkajs');
  const client = new kafkajs.Kafka({
    brokers: [...inject('servers').brokers],
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  await client.connect();
  try {
    // The client forgets to ask for the topic's leaders itself.
    await client.fetchTopicOffsets(name);
    await client.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset }] });
  } finally {
    await client.disconnect();
  }
}
