import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { ownKafka, ownPostgres } from '../support/own-servers.ts';
import { confirmedLsn, Ledger, publishedLsn, startCapture } from './capture-scenario.ts';

const TIMEOUT_SECONDS = 5;

/**
 * While Kafka takes nothing for longer than wal_sender_timeout, in the middle of a large transaction and with the socket
 * unread, the walsender stays the same one, nothing is acknowledged beyond what Kafka has, and nothing is lost.
 */
test('back-pressure keeps the walsender alive beyond wal_sender_timeout, acknowledges and loses nothing', async () => {
  await using source = await ownPostgres({ settings: { wal_sender_timeout: `${TIMEOUT_SECONDS}s` } });
  await using kafka = await ownKafka();
  await using ctx = await testContext({ source: source.url, brokers: kafka.bootstrap });
  const ledger = await Ledger.create(ctx);
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  const walsender = () => ctx.source.value('SELECT pid FROM pg_stat_replication');
  const before = await walsender();
  expect(before).not.toBeNull();
  const published = await publishedLsn(ctx);
  const [broker] = kafka.brokers;
  await broker?.kill('SIGSTOP');
  const stopped = performance.now();
  for (let i = 0; i < 3; i++) await ledger.write(10_000);
  await ledger.write(60_000);
  const replied = () => ctx.source.value('SELECT extract(epoch FROM now() - reply_time) FROM pg_stat_replication');
  let silence = 0;
  await eventually(async () => {
    silence = Math.max(silence, Number(await replied()));
    return performance.now() - stopped > 2 * TIMEOUT_SECONDS * 1000 && (await walsender()) !== null;
  });
  // The server saw answers all along, not just before its time was up.
  expect(silence).toBeLessThan(TIMEOUT_SECONDS);
  expect(await confirmedLsn(ctx)).toBeLessThanOrEqual(published);
  await broker?.kill('SIGCONT');
  expect(await walsender()).toBe(before);
  await ledger.expectPublishedOnce();
});
