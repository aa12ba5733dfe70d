import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { runCommand } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';
import { endOf, withAdmin } from '../support/kafka-admin.ts';
import type { SluiceProcess } from '../support/processes.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { expectCaptureStops, expectSinkStops, expectStatus, expectStop } from '../support/stopped.ts';
import { caughtUp } from './capture-scenario.ts';

async function drain(...processes: SluiceProcess[]): Promise<void> {
  for (const process of processes) process.signal('SIGTERM');
  for (const process of processes) expect((await process.exit()).code).toBe(0);
}

const RETENTION = 'retention.ms';

/** As the task makes them. */
function configEntries(retention = '-1'): { name: string; value: string }[] {
  const entries = {
    [RETENTION]: retention,
    'cleanup.policy': 'delete',
    'retention.bytes': '-1',
    'compression.type': 'producer',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': '67108864',
    'min.insync.replicas': '1',
  };
  return Object.entries(entries).map(([name, value]) => ({ name, value }));
}

/** Kafka takes settings that are not named for unset. */
function setRetention(ctx: TestContext, topic: string, retention: string): Promise<unknown> {
  const resource = { type: 2, name: topic, configEntries: configEntries(retention) };
  return withAdmin(ctx, (admin) => admin.alterConfigs({ validateOnly: false, resources: [resource] }));
}

/** Records that went before the sink had them are missed at once and named; settings that would lose more, too. */
test('retention passed under the sink', async () => {
  await using ctx = await testContext();
  const topic = `${ctx.task}.public.t`;
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  {
    await using capture = startCapture(ctx);
    await using sink = startSink(ctx);
    await capture.wrote(/streaming/);
    await ctx.source.query(`INSERT INTO t (note) SELECT 'n' FROM generate_series(1, 10)`);
    await expectCaughtUp(ctx, [capture, sink]);
    await drain(sink);
    await ctx.source.query(`INSERT INTO t (note) SELECT 'n' FROM generate_series(1, 10)`);
    await caughtUp(ctx);
    await drain(capture);
  }
  await setRetention(ctx, topic, '1000');
  await expectCaptureStops(ctx, 'KAFKA_TOPIC_SETTINGS', /topic .*public\.t: .*retention\.ms is 1000, expected -1/);
  await setRetention(ctx, topic, '-1');
  // More partitions than the task writes to are harmless, and cannot be taken away again.
  await withAdmin(ctx, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }));
  {
    await using capture = startCapture(ctx);
    await using sink = startSink(ctx);
    await expectCaughtUp(ctx, [capture, sink]);
    await drain(sink);
    await ctx.source.query(`INSERT INTO t (note) SELECT 'n' FROM generate_series(1, 10)`);
    await caughtUp(ctx);
    await drain(capture);
  }
  const end = await endOf(ctx, topic);
  await withAdmin(ctx, async (admin) => {
    // Makes it know who leads the topic.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(end - 5) }] });
  });
  const place = String.raw`\(positions 21 to 30, LSN up to [0-9A-F/]+, manifest offset \d+\); applied was up to position 20`;
  await expectSinkStops(
    ctx,
    'KAFKA_RECORDS_GONE',
    new RegExp(`public.t/0 no longer holds offset 20; what follows begins at ${end - 5} ${place}`),
  );
});

/** Topics that are deleted under the services stop both; made anew they would be empty, and are not taken for the old. */
test('topics deleted while both services run', async () => {
  await using ctx = await testContext();
  const [table, manifest] = [`${ctx.task}.public.t`, `${ctx.task}.manifest`];
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await capture.wrote(/streaming/);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expectCaughtUp(ctx, [capture, sink]);

  await withAdmin(ctx, (admin) => admin.deleteTopics({ topics: [table] }));
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expectStop(ctx, capture, { service: 'capture', code: 'KAFKA_TOPIC_MISSING', says: /public\.t/ });
  await expectCaptureStops(ctx, 'KAFKA_TOPIC_MISSING', /public\.t is gone; .* up to offset 0, for positions up to 1/);
  const empty = { topic: table, numPartitions: 1, replicationFactor: 1, configEntries: configEntries() };
  await eventually(() => withAdmin(ctx, (admin) => admin.createTopics({ topics: [empty] })));
  await expectCaptureStops(ctx, 'KAFKA_RECORDS_GONE', /public\.t\/0 ends before offset 0, the manifest lists up to 0/);

  expect(sink.running).toBe(true);
  await withAdmin(ctx, (admin) => admin.deleteTopics({ topics: [manifest] }));
  await expectStop(ctx, sink, {
    service: 'sink',
    code: 'KAFKA_TOPIC_MISSING',
    says: /manifest.*; applied was up to .*position 1/,
  });
  await expectSinkStops(ctx, 'KAFKA_TOPIC_MISSING', /manifest is gone; applied was up to offset \d+, position 1, LSN/);
  const says = /slot \w+ exists, the manifest knows nothing of it/;
  await expectStatus(ctx, { service: 'capture', code: 'SOURCE_OBJECTS_WITHOUT_MANIFEST', says });
  await expectCaptureStops(ctx, 'SOURCE_OBJECTS_WITHOUT_MANIFEST', says);

  // What the remedy says.
  await runCommand(ctx, 'release', { args: ['--topics', '--bookkeeping'] });
  await ctx.destination.query('DROP TABLE t');
  await using newCapture = startCapture(ctx);
  await using newSink = startSink(ctx);
  await expectCaughtUp(ctx, [newCapture, newSink]);
});
