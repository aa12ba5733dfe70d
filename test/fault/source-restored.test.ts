import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { dataCopy, ownPostgres } from '../support/own-servers.ts';
import { expectSlotBehindManifest, expectStreamStops, Ledger, manifestOf, startCapture } from './capture-scenario.ts';

/**
 * A source that was put back to an older state lacks what topics and destination hold: capture notices before it
 * publishes anything, also when the restored source has written past the LSN that was published.
 */
describe('source restored from an older copy of its data', () => {
  test('capture stops, and goes on when the newer state is back', async () => {
    await using server = await ownPostgres();
    await using ctx = await testContext({ source: server.url });
    const ledger = await publishedTask(ctx);
    await ctx.source.disconnect();
    await server.stop();
    using older = dataCopy(server);
    await server.restart();
    {
      await using capture = startCapture(ctx);
      await capture.wrote(/streaming/);
      await ledger.writeMany(5);
      await ledger.expectPublishedOnce();
    }
    await ctx.source.disconnect();
    await server.stop();
    using newer = dataCopy(server);
    const { counted } = await manifestOf(ctx);
    const last = counted.findLast(({ kind }) => kind === 'batch')?.complete;

    older.restore();
    await server.restart();
    await expectStreamStops(ctx, 'SOURCE_RESTORED', /WAL ends at [0-9A-F/]+, published was up to [0-9A-F/]+/);
    // Its own life goes on, past the LSN that was published from the other one.
    await ctx.source.query('CREATE TABLE noise AS SELECT generate_series(1, 200000)');
    await ctx.source.query(`INSERT INTO ledger (transaction, note) VALUES (-1, 'another history')`);
    await expectStreamStops(
      ctx,
      'SOURCE_RESTORED',
      new RegExp(`commit LSN ${last?.commitLsn} .* is not in the source's WAL`),
    );
    expect((await manifestOf(ctx)).counted.filter(({ kind }) => kind === 'batch')).toHaveLength(
      counted.filter(({ kind }) => kind === 'batch').length,
    );

    await ctx.source.disconnect();
    await server.stop();
    newer.restore();
    await server.restart();
    await using capture = startCapture(ctx);
    await ledger.writeMany(3);
    await ledger.expectPublishedOnce();
    await expectSlotBehindManifest(ctx);
    expect(capture.running).toBe(true);
  });
});

/** Recovery ends on a timeline of its own: where it left the old one says whether all that was published is in it. */
test('source recovered from a backup to another timeline, before and after what was published', async () => {
  await using server = await ownPostgres({ settings: { restore_command: 'false' } });
  await using ctx = await testContext({ source: server.url });
  const ledger = await publishedTask(ctx);
  const stopped = async () => {
    await ctx.source.disconnect();
    await server.stop();
    return dataCopy(server);
  };
  const recover = async () => {
    writeFileSync(join(server.dataDir, 'recovery.signal'), '');
    await server.restart();
    expect(await ctx.source.value('SELECT timeline_id FROM pg_control_checkpoint()')).toBe('2');
  };
  using older = await stopped();
  await server.restart();
  {
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await ledger.writeMany(2);
    await ledger.expectPublishedOnce();
    capture.signal('SIGTERM');
    await capture.exit();
  }
  using newer = await stopped();
  older.restore();
  await recover();
  const says = /is on timeline 2; timeline 1, published up to [0-9A-F/]+, ended at [0-9A-F/]+/;
  await expectStreamStops(ctx, 'SOURCE_OTHER_TIMELINE', says);

  (await stopped())[Symbol.dispose]();
  newer.restore();
  await recover();
  await using capture = startCapture(ctx);
  await ledger.writeMany(2);
  await ledger.expectPublishedOnce();
  expect(capture.running).toBe(true);
});

async function publishedTask(ctx: TestContext): Promise<Ledger> {
  const ledger = await Ledger.create(ctx);
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  await ledger.writeMany(5);
  await ledger.expectPublishedOnce();
  capture.signal('SIGTERM');
  expect((await capture.exit()).code).toBe(0);
  return ledger;
}
