import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openKafka } from '../../shared/kafka/kafka.ts';
import type { KafkaSettings } from '../../shared/task/task.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaSettings } from '../support/kafka-settings.ts';
import { PASSWORD, type SecureKafka, secureKafka, USER } from '../support/secure-kafka.ts';

type Mechanism = NonNullable<KafkaSettings['sasl']>['mechanism'];

let server: SecureKafka;

const kafkaWith = (changes: Partial<KafkaSettings>) => openKafka(kafkaSettings(server.brokers, changes), 'test');
const tls = () => ({ ca: server.ca, rejectUnauthorized: true });
const account = (mechanism: Mechanism, password = PASSWORD) => ({ mechanism, username: USER, password });

beforeAll(async () => {
  server = await secureKafka();
  await eventually(async () => await (await kafkaWith({ tls: tls(), sasl: account('plain') }).admin()).close());
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe('a Kafka with TLS and passwords', () => {
  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('is used with %s', async (mechanism) => {
    const kafka = kafkaWith({ tls: tls(), sasl: account(mechanism) });
    const topic = `${mechanism}.public.t`;
    const [admin, producer, fetcher] = await Promise.all([kafka.admin(), kafka.producer(), kafka.fetcher()]);
    await admin.ensureTopics([{ topic, partitions: 1 }]);
    const record = { topic, partition: 0, key: 'k', value: Buffer.from('v') };
    const written = await producer.send([record], { floor: () => 0n });
    const [read] = await fetcher.ranges(written, AbortSignal.timeout(20_000));
    expect(read!.map(({ value }) => String(value))).toEqual(['v']);
    await Promise.all([admin.close(), producer.close(), fetcher.close()]);
  });

  test.each(['plain', 'scram-sha-256'] as const)('refuses a wrong password by %s', async (mechanism) => {
    const refused = expect.objectContaining({ code: 'KAFKA_AUTH_FAILED' });
    await expect(kafkaWith({ tls: tls(), sasl: account(mechanism, 'wrong') }).admin()).rejects.toEqual(refused);
  });

  test('whose certificate nobody trusts here is a TLS error', async () => {
    const untrusted = kafkaWith({ tls: { rejectUnauthorized: true }, sasl: account('plain') });
    await expect(untrusted.admin()).rejects.toEqual(expect.objectContaining({ code: 'KAFKA_TLS_FAILED' }));
  });

  test('may be used without checking the certificate, where that is asked for', async () => {
    await (await kafkaWith({ tls: { rejectUnauthorized: false }, sasl: account('plain') }).admin()).close();
  });

  test('without TLS, or without a password, does not answer', async () => {
    const unusable = expect.objectContaining({ code: expect.stringMatching(/^KAFKA_(UNREACHABLE|AUTH_FAILED)$/) });
    await expect(kafkaWith({}).admin()).rejects.toEqual(unusable);
    await expect(kafkaWith({ tls: tls() }).admin()).rejects.toEqual(unusable);
  });
});
