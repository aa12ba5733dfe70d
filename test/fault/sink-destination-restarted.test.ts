import { describe, expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { expectCaughtUp, firstApplied, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/** The destination goes away and comes back: the sink goes on by itself, from what the destination remembers. */
describe('destination restarted', () => {
  test.each([
    ['in good order', 'restart'],
    ['as if the machine had failed: what was not flushed is applied again', 'kill'],
  ] as const)('%s', async (_, how) => {
    await using server = await ownPostgres();
    await using ctx = await testContext({ destination: server.url });
    await createWorkloadTables(ctx.source, 200);
    await using capture = startCapture(ctx);
    await using sink = startSink(ctx);
    await using load = new Workload(ctx.source.url, { seed: 4, transactionsPerSecond: 60 });
    await capture.wrote(/streaming/, 120_000);
    await load.progress(10);
    const before = await firstApplied(ctx.destination);
    if (how === 'kill') await server.kill();
    await server.restart();
    await load.progress(30);
    await load.stop();
    const position = await expectCaughtUp(ctx, [capture, sink]);
    const report = await expectSoundTopics(ctx);
    expect(report.lastPosition).toBeGreaterThan(before);
    expect(position['position']).toBe(String(report.lastPosition));
    expect(Number(position['transactions'])).toBe(report.transactions);
    expect(sink.output).toContain('next attempt in');
  });
});
