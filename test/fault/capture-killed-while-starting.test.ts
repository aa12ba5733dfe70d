import { describe, expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { Failpoints } from '../support/failpoints.ts';
import { Ledger, manifestOf, slotOf, startCapture } from './capture-scenario.ts';

/** Killed anywhere in its first start, capture starts again by itself: one slot, one incarnation, nothing lost. */
describe('capture killed while starting', () => {
  test.each([
    ['with the epoch record not appended', 'capture.before-append', 1],
    ['with nothing but an epoch record', 'capture.after-epoch', 1],
    ['with a publication and no slot record', 'capture.after-publication', 1],
    ['with the slot announced and not made', 'capture.after-append', 2],
    ['with the slot made and not recorded', 'capture.after-slot-created', 1],
    ['with the slot recorded and not used', 'capture.after-slot-record', 1],
  ])('%s', async (_, point, hit) => {
    await using ctx = await testContext();
    const ledger = await Ledger.create(ctx);
    await using failpoints = new Failpoints(`${point}=kill@${hit}`);
    await using killed = startCapture(ctx, { env: failpoints.env });
    expect(await killed.exit()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    if (point === 'capture.after-publication') {
      // A slot made before its publication could never be read.
      expect(await ctx.source.query('SELECT 1 AS found FROM pg_publication')).toHaveLength(1);
      expect(
        await ctx.source.value('SELECT count(*) FROM pg_replication_slots WHERE database = current_database()'),
      ).toBe('0');
    }

    await using next = startCapture(ctx, { env: failpoints.env });
    await next.wrote(/streaming/);
    await ledger.writeMany(5);
    await ledger.expectPublishedOnce();
    const slots = await ctx.source.query(
      'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()',
    );
    expect(slots).toEqual([{ slot_name: slotOf(ctx) }]);
    const { counted } = await manifestOf(ctx);
    expect(new Set(counted.map(({ incarnation }) => incarnation)).size).toBe(1);
  });
});
