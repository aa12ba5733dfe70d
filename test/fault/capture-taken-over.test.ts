import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSlotBehindManifest, Ledger, prepareSlot, startCapture } from './capture-scenario.ts';

/** A capture that was stopped right before an append, and wakes after another took over, changes nothing any more. */
test('a stopped capture that wakes late', async () => {
  await using ctx = await testContext();
  const ledger = await Ledger.create(ctx);
  await prepareSlot(ctx);
  await using failpoints = new Failpoints('capture.before-append=pause@3');
  await using sleeper = startCapture(ctx, { env: failpoints.env });
  await eventually(async () => {
    await ledger.writeMany(3);
    return failpoints.acted('capture.before-append') !== undefined;
  });
  expect(sleeper.running).toBe(true);

  await using heir = startCapture(ctx, { args: ['--take-over'] });
  await heir.wrote(/streaming/);
  await ledger.writeMany(5);
  await ledger.expectPublishedOnce();

  sleeper.signal('SIGCONT');
  const end = await sleeper.exit();
  expect(end.code).toBe(1);
  expect(sleeper.stderr).toContain('SOURCE_TASK_RUNNING');
  await ledger.writeMany(5);
  const report = await ledger.expectPublishedOnce();
  expect(report.ignoredManifestRecords).toBeGreaterThan(0);
  await expectSlotBehindManifest(ctx);
  expect(heir.running).toBe(true);
});
