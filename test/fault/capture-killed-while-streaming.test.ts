import { describe, expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSlotBehindManifest, Ledger, prepareSlot, startCapture } from './capture-scenario.ts';

/**
 * Killed at any instant between the source and the acknowledgement, capture goes on where the manifest says:
 * every source transaction counts exactly once, and the slot never passed the manifest.
 */
describe('capture killed while streaming', () => {
  test.each([
    ['after the events, before the append', 'capture.after-events', 2],
    ['before an append', 'capture.before-append', 3],
    ['between append and acknowledgement', 'capture.after-append', 3],
    ['after an acknowledgement', 'capture.after-acknowledge', 2],
    ['in the middle of a large transaction', 'capture.mid-transaction', 2],
  ])('%s', async (_, point, hit) => {
    await using ctx = await testContext();
    const ledger = await Ledger.create(ctx);
    await prepareSlot(ctx);
    await using failpoints = new Failpoints(`${point}=kill@${hit}`);
    await using killed = startCapture(ctx, { env: failpoints.env });
    const writing = (async () => {
      await ledger.writeMany(5);
      await ledger.write(17_000);
      await eventually(async () => {
        if (killed.running) await ledger.writeMany(3);
        return !killed.running;
      });
    })();
    expect(await killed.exit()).toEqual({ code: null, signal: 'SIGKILL' });
    await writing;
    expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    await expectSlotBehindManifest(ctx);

    await using next = startCapture(ctx, { env: failpoints.env });
    await ledger.writeMany(5);
    const report = await ledger.expectPublishedOnce();
    expect(report.epochs).toBe(3);
    if (point === 'capture.after-events') expect(report.leftOver).toBeGreaterThan(0);
    if (point === 'capture.mid-transaction') expect(report.voidedBatches).toBe(2);
    await expectSlotBehindManifest(ctx);
    expect(next.running).toBe(true);
  });
});
