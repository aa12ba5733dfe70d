import { describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownKafka, ownRegistry } from '../support/own-servers.ts';
import { expectCaughtUp, firstApplied, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/** Work is in flight before, during and after the fault; both services stay the same processes. */
async function expectSurvived(ctx: TestContext, fault: (load: Workload) => Promise<void>): Promise<void> {
  await createWorkloadTables(ctx.source, 200);
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await using load = new Workload(ctx.source.url, { seed: 7, transactionsPerSecond: 60 });
  await capture.wrote(/streaming/, 120_000);
  await load.progress(10);
  const before = await firstApplied(ctx.destination);
  await fault(load);
  await load.progress(30);
  await load.stop();
  const position = await expectCaughtUp(ctx, [capture, sink]);
  const report = await expectSoundTopics(ctx);
  expect(report.lastPosition).toBeGreaterThan(before);
  expect(position['position']).toBe(String(report.lastPosition));
}

describe('brokers and registry taken away while capture and sink run', () => {
  test('the only broker is killed and comes back', async () => {
    await using kafka = await ownKafka();
    await using ctx = await testContext({ brokers: kafka.bootstrap });
    await expectSurvived(ctx, async (load) => {
      await kafka.brokers[0]?.kill();
      await load.progress(30);
      await kafka.brokers[0]?.restart();
    });
  });

  test('one after the other of three brokers is killed and comes back', async () => {
    await using kafka = await ownKafka(3);
    await using ctx = await testContext({ brokers: kafka.bootstrap });
    await expectSurvived(ctx, async (load) => {
      for (const broker of kafka.brokers) {
        await broker.kill();
        await load.progress(30);
        await broker.restart();
      }
    });
  });

  test('the registry is killed and comes back', async () => {
    await using registry = await ownRegistry();
    await using ctx = await testContext({ registry: registry.url });
    await expectSurvived(ctx, async (load) => {
      await registry.kill();
      await load.progress(30);
      await registry.restart();
    });
  });

  test('the registry is away while rows are read: only events of tables that it does not know yet wait', async () => {
    await using registry = await ownRegistry();
    await using ctx = await testContext({ registry: registry.url });
    for (const name of ['a', 'b']) {
      await ctx.source.query(`CREATE TABLE ${name} (id int PRIMARY KEY); INSERT INTO ${name} VALUES (1)`);
    }
    await using failpoints = new Failpoints('capture.in-range=pause@1');
    await using capture = startCapture(ctx, { env: failpoints.env });
    await eventually(() => failpoints.acted('capture.in-range') !== undefined);
    await registry.kill();
    await ctx.source.query('INSERT INTO b VALUES (2); INSERT INTO a VALUES (2)');
    capture.signal('SIGCONT');
    await capture.wrote(/rows published/);
    await capture.wrote(/not registered yet wait for it/);
    await using sink = startSink(ctx);
    await eventually(async () => (await ctx.destination.value('SELECT count(*) FROM a')) === '1');
    await registry.restart();
    await expectCaughtUp(ctx, [capture, sink]);
    const { epochs } = await expectSoundTopics(ctx);
    expect(epochs).toBe(1);
  });
});
