import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { limitFileSize } from '../support/file-size-limit.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownKafka, ownPostgres } from '../support/own-servers.ts';
import { appliedPosition, expectCaughtUp, firstApplied, startCapture, startSink } from '../support/sink-scenario.ts';
import { expectStop } from '../support/stopped.ts';
import { expectSlotBehindManifest } from './capture-scenario.ts';

const MEGABYTE = 1024 * 1024;

/** A destination that has no room takes no part of a transaction; with room the sink goes on, and ends equal. */
test('disk full at the destination', async () => {
  await using server = await ownPostgres();
  await using ctx = await testContext({ destination: server.url });
  // A block for each row: its file grows fast.
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text) WITH (fillfactor = 10)');
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await capture.wrote(/streaming/);
  const grow = (rows: number) =>
    ctx.source.query(`INSERT INTO t (note) SELECT repeat('n', 600) FROM generate_series(1, ${rows})`);
  await grow(10);
  await expectCaughtUp(ctx, [capture, sink]);
  const before = await appliedPosition(ctx.destination);

  // Above the size of a file of WAL, which would end the whole server.
  await limitFileSize(server, 17 * MEGABYTE);
  await grow(3_000);
  const says = /destination \(.*\): could not extend file .*File too large/;
  await expectStop(ctx, sink, { service: 'sink', code: 'POSTGRES_FAILED', says });
  expect(await appliedPosition(ctx.destination)).toMatchObject({ position: before['position'] });
  expect(await ctx.destination.value('SELECT count(*) FROM t')).toBe('10');

  await limitFileSize(server, null);
  await using again = startSink(ctx);
  await grow(10);
  await expectCaughtUp(ctx, [capture, again]);
});

/** A broker that has no room ends: nothing is acknowledged that it did not take, and both services wait for it. */
test('disk full at the broker', async () => {
  await using kafka = await ownKafka();
  await using ctx = await testContext({ brokers: kafka.bootstrap });
  const broker = kafka.brokers[0]!;
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await capture.wrote(/streaming/);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await firstApplied(ctx.destination);
  // Above the size of the index files, which Kafka makes in advance.
  await limitFileSize(broker, 11 * MEGABYTE);
  for (let i = 0; i < 4; i++) {
    await ctx.source.query(`INSERT INTO t (note) SELECT repeat('n', 4000) FROM generate_series(1, 1000)`);
  }
  await eventually(() => capture.output.includes('next attempt in'), { what: 'a capture that could not write' });
  await broker.restart();
  await expectCaughtUp(ctx, [capture, sink]);
  await expectSoundTopics(ctx);
  await expectSlotBehindManifest(ctx);
});
