import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { TopicAdmin } from '../../shared/kafka/interfaces.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { kafkaSettings } from '../support/kafka-settings.ts';

const { brokers } = inject('servers');
const prefix = `admin-${randomUUID().slice(0, 8)}`;
const topic = (name: string) => `${prefix}.${name}`;
const other = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
const kafka = openKafka(kafkaSettings(brokers), 'test');

let admin: TopicAdmin;

beforeAll(async () => {
  admin = await kafka.admin();
  await other.connect();
});

afterAll(async () => {
  await admin.deleteTopics(await admin.withPrefix(`${prefix}.`));
  await admin.close();
  await other.disconnect();
});

describe('topics of a task', () => {
  test('are created with the settings that the task needs, and can be written at once', async () => {
    const specs = [
      { topic: topic('one'), partitions: 1 },
      { topic: topic('many'), partitions: 5 },
    ];
    expect(await admin.ensureTopics(specs)).toEqual({ created: specs.map((spec) => spec.topic) });
    const producer = await kafka.producer();
    const record = { topic: topic('many'), partition: 4, key: null, value: Buffer.from('x') };
    expect(await producer.send([record], { floor: () => 0n })).toHaveLength(1);
    await producer.close();
    const { resources } = await other.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: topic('many') }],
    });
    const settings = new Map(
      resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
    expect(settings.get('cleanup.policy')).toBe('delete');
    expect(settings.get('retention.ms')).toBe('-1');
    expect(settings.get('retention.bytes')).toBe('-1');
    expect(settings.get('message.timestamp.type')).toBe('LogAppendTime');
    expect(settings.get('unclean.leader.election.enable')).toBe('false');
    expect(await admin.ensureTopics(specs)).toEqual({ created: [] });
    expect(await admin.existing([topic('one'), topic('none')])).toEqual(new Set([topic('one')]));
    expect(await admin.withPrefix(`${prefix}.`)).toEqual([topic('many'), topic('one')]);
    await admin.deleteTopics([topic('one'), topic('none')]);
    expect(await admin.existing([topic('one')])).toEqual(new Set());
    expect(await admin.clusterId()).toMatch(/.+/);
  });

  test.each([
    ['retention.ms', '604800000'],
    ['cleanup.policy', 'compact'],
    ['message.timestamp.type', 'CreateTime'],
    ['compression.type', 'gzip'],
  ])('that exist with another %s are refused', async (setting, value) => {
    const name = topic(`other-${setting}`);
    await admin.ensureTopics([{ topic: name, partitions: 1 }]);
    await other.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name, configEntries: [{ name: setting, value }] }],
    });
    const refused = { code: 'KAFKA_TOPIC_SETTINGS', message: expect.stringContaining(`${setting} is ${value}`) };
    await expect(
      (async () => {
        // A change of configuration reaches the brokers a moment later.
        for (;;) await admin.ensureTopics([{ topic: name, partitions: 1 }]);
      })(),
    ).rejects.toEqual(expect.objectContaining(refused));
  });

  test('that allow less than the task now does are raised', async () => {
    const name = topic('raised');
    const less = await openKafka(kafkaSettings(brokers, { maxMessageBytes: 1_000_000 }), 'test').admin();
    await less.ensureTopics([{ topic: name, partitions: 1 }]);
    await less.close();
    await admin.ensureTopics([{ topic: name, partitions: 1 }]);
    const { resources } = await other.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name }] });
    const limit = resources[0]!.configEntries.find(({ configName }) => configName === 'max.message.bytes');
    expect(limit?.configValue).toBe('67108864');
  });

  test('that exist with another number of partitions are refused', async () => {
    await admin.ensureTopics([{ topic: topic('partitions'), partitions: 2 }]);
    const refused = expect.objectContaining({
      code: 'KAFKA_TOPIC_SETTINGS',
      message: expect.stringContaining('partitions is 2'),
    });
    await expect(admin.ensureTopics([{ topic: topic('partitions'), partitions: 1 }])).rejects.toEqual(refused);
    await expect(admin.ensureTopics([{ topic: topic('partitions'), partitions: 3 }])).rejects.toEqual(refused);
  });

  test('may be created by two at once', async () => {
    const another = await kafka.admin();
    const specs = Array.from({ length: 20 }, (_, index) => ({ topic: topic(`race-${index}`), partitions: 1 }));
    await Promise.all([admin.ensureTopics(specs), another.ensureTopics(specs)]);
    expect((await admin.existing(specs.map((spec) => spec.topic))).size).toBe(20);
    await another.close();
  });

  test('a thousand of them take seconds', async () => {
    const specs = Array.from({ length: 1_000 }, (_, index) => ({ topic: topic(`thousand-${index}`), partitions: 1 }));
    const started = performance.now();
    await admin.ensureTopics(specs);
    expect(performance.now() - started).toBeLessThan(60_000);
    await admin.deleteTopics(specs.map((spec) => spec.topic));
  });
});

describe('a Kafka that is not there', () => {
  test('is named at once', async () => {
    const nowhere = openKafka(kafkaSettings(['127.0.0.1:1', '[::1]:1']), 'test');
    const unreachable = expect.objectContaining({ code: 'KAFKA_UNREACHABLE', message: expect.stringContaining(':1') });
    await expect(nowhere.admin()).rejects.toEqual(unreachable);
    await expect(nowhere.producer()).rejects.toEqual(unreachable);
    await expect(nowhere.fetcher()).rejects.toEqual(unreachable);
  });

  test('with TLS asked of a broker that speaks none is a TLS error', async () => {
    const tls = openKafka(kafkaSettings(brokers, { tls: { rejectUnauthorized: true } }), 'test');
    await expect(tls.admin()).rejects.toEqual(
      expect.objectContaining({ code: expect.stringMatching(/KAFKA_(TLS_FAILED|UNREACHABLE)/) }),
    );
  });
});
