import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { expectError, jsonOf, startCommand, taskOptions } from '../support/control-command.ts';
import { Failpoints } from '../support/failpoints.ts';
import { sluice } from '../support/processes.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';

const points = ['cutover.after-request', 'cutover.after-sequences', 'cutover.before-mark'];

/** A cutover that was killed is taken up by the next; a release that takes over leaves nothing that comes back. */
test('cutover killed between its steps, and a release that takes over', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`
    CREATE TABLE ticket (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
    INSERT INTO ticket (note) SELECT 'n' || n FROM generate_series(1, 20) n`);
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await expectCaughtUp(ctx, [capture, sink]);
  await ctx.source.query(`INSERT INTO ticket (note) VALUES ('last')`);
  for (const point of points) await killAt(ctx, point);
  expect(await jsonOf(ctx, 'cutover')).toMatchObject({ done: true });
  expect(await jsonOf(ctx, 'cutover')).toMatchObject({ done: false });
  expect(await sink.exit()).toEqual({ code: 0, signal: null });
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  expect(await ctx.destination.value(`INSERT INTO ticket (note) VALUES ('live') RETURNING id`)).toBe('22');
  const refused = ctx.destination.query(`INSERT INTO ticket (id, note) VALUES (99, 'by hand')`);
  await expect(refused).rejects.toThrow(/cannot insert a non-DEFAULT value/);

  expect(capture.running).toBe(true);
  await using polite = startCommand(ctx, 'release');
  await expectError(polite, { code: 'SOURCE_TASK_RUNNING', exit: 1 });
  await jsonOf(ctx, 'release', { args: ['--take-over'] });
  expect((await capture.exit()).code).not.toBe(0);
  expect(capture.stderr).toMatch(/^error SOURCE_SLOT_MISSING: /m);
  const left = `SELECT (SELECT count(*) FROM pg_publication)
    + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())`;
  expect(await ctx.source.value(left)).toBe('0');
});

async function killAt(ctx: TestContext, point: string): Promise<void> {
  await using failpoints = new Failpoints(`${point}=kill`);
  await using killed = sluice(['cutover', ...taskOptions(ctx)], { env: failpoints.env });
  expect(await killed.exit(120_000), killed.output).toEqual({ code: null, signal: 'SIGKILL' });
  expect(failpoints.acted(point)).toMatchObject({ action: 'kill' });
}
