import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { Failpoints } from '../support/failpoints.ts';
import { endOf } from '../support/kafka-admin.ts';
import { KafkaLogFile } from '../support/kafka-log.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { dataCopy, ownKafka } from '../support/own-servers.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { expectCaptureStops, expectSinkStops, expectStop } from '../support/stopped.ts';

/**
 * A broker that comes back without records which it had confirmed: neither service goes on beyond them, and both say
 * what is missing; with the records they go on.
 */
test('a broker that comes back with an older log', async () => {
  await using kafka = await ownKafka();
  await using ctx = await testContext({ brokers: kafka.bootstrap });
  const broker = kafka.brokers[0]!;
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  await using sink = startSink(ctx);
  await using first = startCapture(ctx);
  await first.wrote(/streaming/);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expectCaughtUp(ctx, [first, sink]);
  const dataDir = `${dirname(broker.log)}/broker-${broker.id}`;
  await broker.stop();
  using older = dataCopy({ dataDir });
  await broker.restart();
  await ctx.source.query(`INSERT INTO t (note) SELECT 'n' FROM generate_series(1, 10)`);
  await expectCaughtUp(ctx, [first, sink]);
  first.signal('SIGTERM');
  expect((await first.exit()).code).toBe(0);
  const end = await endOf(ctx, `${ctx.task}.manifest`);

  await broker.stop();
  using newer = dataCopy({ dataDir });
  older.restore();
  await broker.restart();
  const shorter = await endOf(ctx, `${ctx.task}.manifest`);
  expect(shorter).toBeLessThan(end);
  await expectStop(ctx, sink, {
    service: 'sink',
    code: 'KAFKA_RECORDS_GONE',
    // While it follows the manifest, or, when the broker was away for long, at its next attempt.
    says: new RegExp(
      `manifest/0 (no longer holds offset ${end}; what follows begins at|ends before offset) ${shorter}; applied was up to .*position 11`,
    ),
  });
  await expectSinkStops(
    ctx,
    'KAFKA_RECORDS_GONE',
    new RegExp(`manifest/0 ends before offset ${shorter}; applied was up to offset \\d+, position 11, LSN [0-9A-F/]+`),
  );
  await expectCaptureStops(
    ctx,
    'SOURCE_SLOT_AHEAD',
    /confirmed to [0-9A-F/]+, the manifest reaches [0-9A-F/]+, position 1:/,
  );

  await broker.stop();
  newer.restore();
  await broker.restart();
  await using capture = startCapture(ctx);
  await using again = startSink(ctx);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expectCaughtUp(ctx, [capture, again]);
  await expectSoundTopics(ctx);
});

/**
 * The end of the manifest is lost with the broker after a sink has applied it, and before it was acknowledged: capture
 * may publish it again, in other records, but a sink that has read the lost ones sees that the log is another.
 */
test('a broker that lost the end of the manifest, which grows again', async () => {
  await using kafka = await ownKafka();
  await using ctx = await testContext({ brokers: kafka.bootstrap });
  const broker = kafka.brokers[0]!;
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  await using sink = startSink(ctx);
  {
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await ctx.source.query('INSERT INTO t DEFAULT VALUES');
    await expectCaughtUp(ctx, [capture, sink]);
    capture.signal('SIGTERM');
    await capture.exit();
  }
  // The epoch record, then the batch.
  await using failpoints = new Failpoints('capture.after-append=kill@2');
  await using killed = startCapture(ctx, { env: failpoints.env });
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  expect((await killed.exit()).signal).toBe('SIGKILL');
  await expect.poll(() => ctx.destination.value('SELECT count(*) FROM t'), { timeout: 20_000 }).toBe('2');
  const end = await endOf(ctx, `${ctx.task}.manifest`);

  // It does not look before the log is as long as it was.
  sink.signal('SIGSTOP');
  await broker.kill();
  new KafkaLogFile(broker, `${ctx.task}.manifest`).cut(end - 1);
  await broker.restart();
  expect(await endOf(ctx, `${ctx.task}.manifest`)).toBe(end - 1);
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expect.poll(() => endOf(ctx, `${ctx.task}.manifest`), { timeout: 30_000 }).toBeGreaterThan(end);
  sink.signal('SIGCONT');
  await expectStop(ctx, sink, {
    service: 'sink',
    code: 'MANIFEST_BROKEN',
    says: new RegExp(
      `(manifest/0 changed below offset ${end}:|record at offset ${end - 1} of) .*; applied was up to .*position 2, LSN [0-9A-F/]+`,
    ),
  });
  await expectSinkStops(
    ctx,
    'MANIFEST_BROKEN',
    new RegExp(`record at offset ${end - 1} of .*; applied was up to .* position 2`),
  );
  expect(capture.running).toBe(true);
});
