import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, firstApplied, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

const DAY = 86_400_000;
const preload = new URL('../support/clock-jump.mjs', import.meta.url).href;

/** The wall clock of both services jumps a day ahead and two days back under load: nothing hangs, ends or is lost. */
test('clock jumps forward and backward', async () => {
  await using ctx = await testContext();
  await createWorkloadTables(ctx.source, 200);
  const env = { NODE_OPTIONS: `--import ${preload}`, SLUICE_CLOCK_JUMPS: `${DAY},${-2 * DAY}` };
  await using capture = startCapture(ctx, { env });
  await using sink = startSink(ctx, { env });
  await using load = new Workload(ctx.source.url, { seed: 12, transactionsPerSecond: 60 });
  await capture.wrote(/streaming/, 120_000);
  await load.progress(10);
  let before = await firstApplied(ctx.destination);
  const day = (days: number) => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);
  for (const clock of [day(1), day(-1)]) {
    for (const service of [capture, sink]) {
      service.signal('SIGUSR2');
      await service.wrote(new RegExp(`clock ${clock}`));
    }
    await load.progress(40);
    await expect.poll(() => firstApplied(ctx.destination), { timeout: 60_000 }).toBeGreaterThan(before);
    before = await firstApplied(ctx.destination);
  }
  await load.stop();
  await expectCaughtUp(ctx, [capture, sink]);
  await expectSoundTopics(ctx);
});
