import { expect, test } from 'vitest';
import { TUNING_VARIABLE } from '../../shared/task/tuning.ts';
import { testContext } from '../support/context.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, firstApplied, startCapture, startSink } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';
import { variants } from '../variants.ts';

/** Sizes and folding change nothing of what ends up at the destination. */
test.each(Object.entries(variants))('%s', async (_, tuning) => {
  await using ctx = await testContext();
  await createWorkloadTables(ctx.source, 100);
  const env = { [TUNING_VARIABLE]: JSON.stringify(tuning) };
  await using capture = startCapture(ctx, { env });
  await using sink = startSink(ctx, { env });
  await using load = new Workload(ctx.source.url, { seed: 7, transactionsPerSecond: 60 });
  await firstApplied(ctx.destination);
  await load.progress(60);
  await load.stop();
  await expectCaughtUp(ctx, [capture, sink]);
  const { batches } = await expectSoundTopics(ctx);
  if ('batchEvents' in tuning && tuning.batchEvents === 1) expect(batches).toBeGreaterThan(100);
});
