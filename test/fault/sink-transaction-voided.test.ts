import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import {
  applied,
  appliedPosition,
  expectCaughtUp,
  fenceAt,
  startCapture,
  startSink,
} from '../support/sink-scenario.ts';

/** Parts of a large transaction that died with their capture are never applied, and its second coming is, once. */
test('an epoch voids the parts of an open transaction', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id bigserial PRIMARY KEY, n int NOT NULL DEFAULT 0)');
  await using failpoints = new Failpoints('capture.mid-transaction=kill@2');
  await using killed = startCapture(ctx, { env: failpoints.env });
  await using sink = startSink(ctx);
  await killed.wrote(/streaming/, 120_000);
  await ctx.source.query('INSERT INTO t SELECT FROM generate_series(1, 10)');
  await applied(ctx.destination, await fenceAt(ctx), { running: [killed, sink] });
  await ctx.source.query('INSERT INTO t SELECT FROM generate_series(1, 17000)');
  expect(await killed.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  expect((await appliedPosition(ctx.destination))['position']).toBe('10');

  await using capture = startCapture(ctx, { env: failpoints.env });
  await ctx.source.query('UPDATE t SET n = n + 1');
  const position = await expectCaughtUp(ctx, [capture, sink]);
  const report = await expectSoundTopics(ctx);
  expect(report.voidedBatches).toBeGreaterThan(0);
  expect(position).toMatchObject({ events: String(10 + 2 * 17_000 + 10), transactions: '3' });
  expect(position['position']).toBe(String(report.lastPosition));
});

/** The epoch record has nothing to apply, and leaves the numbers of the voided batches used. */
test('a sink that stands at the record that voided the parts starts again', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id bigserial PRIMARY KEY, n int NOT NULL DEFAULT 0)');
  await using inTransaction = new Failpoints('capture.mid-transaction=kill@2');
  await using killed = startCapture(ctx, { env: inTransaction.env });
  await using first = startSink(ctx);
  await killed.wrote(/streaming/, 120_000);
  await ctx.source.query('INSERT INTO t SELECT FROM generate_series(1, 10)');
  await applied(ctx.destination, await fenceAt(ctx), { running: [killed, first] });
  await ctx.source.query('INSERT INTO t SELECT FROM generate_series(1, 17000)');
  expect(await killed.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  const before = await appliedPosition(ctx.destination);

  await using afterEpoch = new Failpoints('capture.after-epoch=kill@1');
  await using voiding = startCapture(ctx, { env: afterEpoch.env });
  expect(await voiding.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  const moved = async () => (await appliedPosition(ctx.destination))['epoch'] !== before['epoch'];
  await eventually(moved, { what: 'the sink standing at the new epoch', timeoutMs: 60_000 });
  first.signal('SIGKILL');
  await first.exit();
  expect(await appliedPosition(ctx.destination)).toMatchObject({ position: '10', batch: before['batch'] });

  await using capture = startCapture(ctx);
  await using second = startSink(ctx);
  await expectCaughtUp(ctx, [capture, second]);
  expect((await expectSoundTopics(ctx)).voidedBatches).toBeGreaterThan(0);
});
