import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { endOf } from '../support/kafka-admin.ts';
import { KafkaLogFile } from '../support/kafka-log.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownKafka } from '../support/own-servers.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { expectCaptureStops, expectSinkStops } from '../support/stopped.ts';
import { manifestOf } from './capture-scenario.ts';

/**
 * A record that counts and is not what was written: the sink stops before it, naming topic, partition, offset and
 * positions, and goes on when the record is right again.
 */
test('damaged records of a table, of the rows and of the manifest', async () => {
  await using kafka = await ownKafka();
  await using ctx = await testContext({ brokers: kafka.bootstrap });
  const [broker] = kafka.brokers;
  const file = (topic: string) => new KafkaLogFile(broker!, `${ctx.task}.${topic}`);
  await ctx.source.query(`CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (0, 'row')`);
  {
    await using capture = startCapture(ctx);
    await capture.wrote(/rows published/);
    {
      using _ = file('snapshot').damage(0, 'row', { crc: true });
      await expectSinkStops(ctx, 'SEGMENT_BROKEN', /snapshot\/0, offsets 0 to 0: its checksum is another one/);
    }
    {
      // Headers are beside what the manifest's checksum covers.
      using _ = file('snapshot').damage(0, 'generation', { crc: true });
      const says = /no readable chunk header \(table "public"."t", .*snapshot\/0, offset 0\)/;
      await expectSinkStops(ctx, 'SEGMENT_BROKEN', says);
    }
    await using sink = startSink(ctx);
    await expectCaughtUp(ctx, [capture, sink]);
    sink.signal('SIGTERM');
    await sink.exit();
    await ctx.source.query(`INSERT INTO t SELECT i, 'change' FROM generate_series(1, 10) i`);
    const listed = async () => (await manifestOf(ctx)).counted.some(({ kind }) => kind === 'batch');
    await expect.poll(listed, { timeout: 30_000 }).toBe(true);
    capture.signal('SIGTERM');
    await capture.exit();
  }
  const place = String.raw`\(positions 1 to 10, LSN up to [0-9A-F/]+, manifest offset \d+\); applied was up to position 0`;
  {
    using _ = file('public.t').damage(0, 'change', { crc: true });
    await expectSinkStops(ctx, 'SEGMENT_BROKEN', new RegExp(`public.t/0, offsets 0 to 9: its checksum .*${place}`));
  }
  {
    using _ = file('public.t').damage(0, 'change', { crc: false });
    const says = new RegExp(`offsets 0 to 9 in .*public.t/0 has a wrong checksum: it was damaged ${place}`);
    await expectSinkStops(ctx, 'SEGMENT_BROKEN', says);
    await expectCaptureStops(ctx, 'SEGMENT_BROKEN', /offsets 0 to 9 in .*public.t\/0 has a wrong checksum/);
  }
  const end = await endOf(ctx, `${ctx.task}.manifest`);
  {
    using _ = file('manifest').damage(end - 1, 'epoch', { crc: false });
    await using capture = startCapture(ctx);
    expect((await capture.exit()).code).toBe(65);
    expect(capture.stderr).toMatch(
      new RegExp(
        `^error SEGMENT_BROKEN: .* offsets ${end - 1} to ${end - 1} in .*manifest/0 has a wrong checksum`,
        'm',
      ),
    );
  }
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await expectCaughtUp(ctx, [capture, sink]);
  await expectSoundTopics(ctx);
});
