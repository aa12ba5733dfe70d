import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import {
  applied,
  appliedPosition,
  expectCaughtUp,
  fenceAt,
  startCapture,
  startSink,
} from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/** Of two sinks of one name only one goes on, also when the other was asleep while it lost its place. */
test('a sink that wakes after another one of its name took over applies nothing more', async () => {
  await using ctx = await testContext();
  await createWorkloadTables(ctx.source, 200);
  await using capture = startCapture(ctx);
  await using asleep = startSink(ctx);
  await eventually(() => appliedPosition(ctx.destination), { timeoutMs: 120_000 });
  await applied(ctx.destination, await fenceAt(ctx), { running: [capture, asleep] });
  // Idle: it holds no lock but the sink's, of which a stopped process would never let go.
  await eventually(async () => {
    const open = `SELECT (SELECT count(*) FROM sluice.object WHERE section = 'foreign-keys' AND state = 'pending')
      + (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice sink ${ctx.task}/%' AND xact_start IS NOT NULL)`;
    return (await ctx.destination.value(open)) === '0';
  });
  asleep.signal('SIGSTOP');
  await using load = new Workload(ctx.source.url, { seed: 3, transactionsPerSecond: 60 });
  await load.progress(20);

  await using awake = startSink(ctx);
  const control = `application_name LIKE 'sluice sink ${ctx.task}/main%control'`;
  await awake.wrote(/waiting for another sink/, 120_000);
  await ctx.destination.query(`SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE ${control} AND locktype = 'advisory' AND granted AND datname = current_database()`);
  await load.progress(20);
  const before = BigInt(
    (await applied(ctx.destination, await fenceAt(ctx), { running: [capture, awake] }))['position']!,
  );
  expect(before).toBeGreaterThan(0n);

  asleep.signal('SIGCONT');
  await load.progress(30);
  await load.stop();
  const position = await expectCaughtUp(ctx, [capture, awake]);
  expect(BigInt(position['position']!)).toBeGreaterThan(before);
  expect(await asleep.exit(120_000)).toMatchObject({ code: 65 });
  expect(asleep.stderr).toContain('error DESTINATION_POSITION_MOVED');
  await expectCaughtUp(ctx, [capture, awake]);
});
