import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { Ledger, startCapture } from './capture-scenario.ts';

/** Of two captures of one task started at once, one runs and the other says that it does. */
test('two captures at once', async () => {
  await using ctx = await testContext();
  const ledger = await Ledger.create(ctx);
  await using one = startCapture(ctx);
  await using other = startCapture(ctx);
  const loser = await Promise.race([one.exited.then(() => one), other.exited.then(() => other)]);
  const winner = loser === one ? other : one;
  expect(await loser.exit()).toEqual({ code: 1, signal: null });
  expect(loser.stderr).toMatch(/^error SOURCE_TASK_RUNNING: .*held at the source by process \d+/m);
  expect(loser.stderr).toContain('remedy: Stop it first');
  expect(loser.stderr).not.toMatch(/^\s+at /m);
  await winner.wrote(/streaming/);
  await ledger.writeMany(5);
  const report = await ledger.expectPublishedOnce();
  expect(report.epochs).toBe(1);
  winner.signal('SIGTERM');
  expect(await winner.exit()).toEqual({ code: 0, signal: null });
});

/** Asked to take over, the second ends the first, which streams; the first says so and stays away. */
test('the second one takes over', async () => {
  await using ctx = await testContext();
  const ledger = await Ledger.create(ctx);
  await using first = startCapture(ctx);
  await first.wrote(/streaming/);
  await ledger.writeMany(5);
  await using second = startCapture(ctx, { args: ['--take-over'] });
  const writing = (async () => {
    while (first.running) await ledger.writeMany(5);
  })();
  await second.wrote(/streaming/);
  expect(await first.exit()).toEqual({ code: 1, signal: null });
  expect(first.stderr).toMatch(/^error SOURCE_TASK_RUNNING: /m);
  await writing;
  await ledger.writeMany(5);
  const report = await ledger.expectPublishedOnce();
  expect(report.epochs).toBe(2);
  expect(second.running).toBe(true);
});
