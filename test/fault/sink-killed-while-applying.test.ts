import { describe, expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { appliedPosition, expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/**
 * Killed before or after the commit of a destination transaction, or inside a large one, a sink goes on where the
 * applied position says: each source transaction is applied once.
 */
describe('sink killed while applying', () => {
  test.each([
    ['before a commit', 'sink.before-commit', 4],
    ['after a commit', 'sink.after-commit', 4],
    ['in the middle of a large transaction', 'sink.in-open-transaction', 2],
  ])('%s', async (_, point, hit) => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 200);
    await ctx.source.query('CREATE TABLE counted (id bigserial PRIMARY KEY, hits int NOT NULL DEFAULT 0)');
    await ctx.source.query('INSERT INTO counted SELECT FROM generate_series(1, 100)');
    await using failpoints = new Failpoints(`${point}=kill@${hit}`);
    await using capture = startCapture(ctx);
    await using killed = startSink(ctx, { env: failpoints.env });
    await using load = new Workload(ctx.source.url, { seed: hit, transactionsPerSecond: 60 });
    // What is written before the slot is made would come with the rows, not with the stream.
    await capture.wrote(/streaming/, 120_000);
    await load.progress(20);
    await ctx.source.query('INSERT INTO counted SELECT FROM generate_series(1, 17000)');
    await ctx.source.query('UPDATE counted SET hits = hits + 1');
    expect(await killed.exit(120_000)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    const before = BigInt((await appliedPosition(ctx.destination))['position']!);

    await using sink = startSink(ctx, { env: failpoints.env });
    await load.progress(50);
    await ctx.source.query('UPDATE counted SET hits = hits + 1');
    await load.stop();
    const position = await expectCaughtUp(ctx, [capture, sink]);
    const report = await expectSoundTopics(ctx);
    expect(before).toBeLessThan(report.lastPosition);
    expect(position['position']).toBe(String(report.lastPosition));
    expect(Number(position['transactions'])).toBe(report.transactions);
  });
});
