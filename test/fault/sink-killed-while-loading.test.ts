import { describe, expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/** Killed at any instant of the load, a sink goes on where the ledger says: each chunk is in its table once. */
describe('sink killed while loading', () => {
  test.each([
    ['after a COPY, before its commit', 'sink.in-load', 3],
    ['after a chunk', 'sink.after-chunk', 3],
    ['while indexes and constraints are made', 'sink.in-post-data', 4],
  ])('%s', async (_, point, hit) => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 2_000);
    await using failpoints = new Failpoints(`${point}=kill@${hit}`);
    await using capture = startCapture(ctx);
    await using load = new Workload(ctx.source.url, { seed: hit, transactionsPerSecond: 60 });
    await using killed = startSink(ctx, { env: failpoints.env });
    expect(await killed.exit(120_000)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    const [before] = await ctx.destination.query(
      `SELECT count(*) FILTER (WHERE state = 'loaded') AS loaded, count(*) AS tables FROM sluice.table_load`,
    );
    if (point !== 'sink.in-post-data') expect(Number(before?.['loaded'])).toBeLessThan(Number(before?.['tables']));
    expect(await ctx.destination.value('SELECT "position" FROM sluice.position')).toBe('0');

    await using sink = startSink(ctx, { env: failpoints.env });
    await load.progress(100);
    await load.stop();
    const position = await expectCaughtUp(ctx, [capture, sink]);
    const report = await expectSoundTopics(ctx);
    expect(position['position']).toBe(String(report.lastPosition));
    expect(report.events).toBeGreaterThan(0);
    expect(await ctx.destination.value('SELECT count(*) FROM sluice.chunk')).toBe('0');
  });
});
