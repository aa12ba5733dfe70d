import { expect, test } from 'vitest';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { kafkaSettings } from '../support/kafka-settings.ts';
import { ownKafka } from '../support/own-servers.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** A record that takes longer on its way than any small answer may: it is read all the same. */
test('a large record over a slow link', async () => {
  await using proxy = await TcpProxy.open();
  await using kafka = await ownKafka(1, [proxy.port]);
  proxy.target = kafka.brokers[0]?.proxiedPort ?? 0;
  const { admin, producer, fetcher } = openKafka(kafkaSettings([`127.0.0.1:${proxy.port}`]), 'slow-link');
  const topics = await admin();
  await topics.ensureTopics([{ topic: 'slow', partitions: 1 }]);
  const value = Buffer.alloc(5_000_000, 'x');
  const writer = await producer();
  await writer.send([{ topic: 'slow', partition: 0, key: null, value }], { floor: () => 0n });
  const reader = await fetcher();
  proxy.begin({ kind: 'throttle', bytesPerSecond: 400_000, direction: 'down' });
  const range = { topic: 'slow', partition: 0, offset: 0n, count: 1 };
  const [records] = await reader.ranges([range], new AbortController().signal);
  expect(records?.[0]?.value?.equals(value)).toBe(true);
  expect(proxy.counts.slowed).toBeGreaterThan(10);
  await Promise.all([topics.close(), writer.close(), reader.close()]);
});
