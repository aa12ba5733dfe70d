import { describe, expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';
import { manifestOf } from './capture-scenario.ts';

/**
 * Killed while tables are read, capture keeps the finished reads and reads the others anew, under a snapshot of its
 * own: what the stream carries of them since the slot was made is in those rows already and is not applied twice.
 */
describe('capture killed while reading', () => {
  test.each([
    ['after chunks of a table were listed', 'capture.in-snapshot', 3],
    ['after the chunks of a table, before the end of its read', 'capture.before-read-record', 2],
  ])('%s', async (_, point, hit) => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 3_000);
    await using failpoints = new Failpoints(`${point}=kill@${hit}`);
    await using sink = startSink(ctx);
    await using killed = startCapture(ctx, { env: failpoints.env });
    await using load = new Workload(ctx.source.url, { seed: hit, transactionsPerSecond: 60 });
    expect(await killed.exit(120_000)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    const before = await manifestOf(ctx);
    const of = (kind: string) => before.counted.filter((record) => record.kind === kind).length;
    expect(of('reload')).toBeGreaterThan(of('read'));
    await load.progress(60);

    await using capture = startCapture(ctx);
    await load.progress(60);
    await load.stop();
    await expectCaughtUp(ctx, [capture, sink]);
    const report = await expectSoundTopics(ctx);
    expect(report.epochs).toBe(2);
    const { counted } = await manifestOf(ctx);
    const reads = counted.filter(({ kind }) => kind === 'read');
    const snapshots = reads.map((read) => (read as unknown as { snapshot: { kind: string } }).snapshot.kind);
    expect(snapshots).toContain('ordinary');
  });
});
