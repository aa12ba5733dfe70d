import { describe, expect, test } from 'vitest';
import { Auditor, createBank, Transfers } from '../support/bank.ts';
import { testContext } from '../support/context.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { taskFile } from '../support/task-file.ts';

/** For runs by hand. */
const kills = Number(process.env['SLUICE_ROUNDS'] ?? 3);
const partitions = Number(process.env['SLUICE_PARTITIONS'] ?? 4);

/**
 * Clients move money between tables at the source; who reads the destination finds all of it at any moment, and the
 * transfers in the order of their commits, also while the sink is killed and started again.
 */
describe('the destination read while it is written to', () => {
  test('never shows a part of a source transaction', async () => {
    await using ctx = await testContext();
    await createBank(ctx.source);
    const args = [
      '--task-file',
      taskFile(ctx, { kafka: { partitions, brokers: ctx.brokers, registry: { url: ctx.registry } } }),
    ];
    await using committed = new Auditor(ctx.destination, 'read committed');
    await using repeatable = new Auditor(ctx.destination, 'repeatable read');
    await using capture = startCapture(ctx, { args });
    await capture.wrote(/streaming/, 120_000);
    await using transfers = new Transfers(ctx.source, { seed: partitions, clients: 3 });
    for (let kill = 0; kill < kills; kill++) {
      await using sink = startSink(ctx, { args });
      const seen = repeatable.states;
      await eventually(() => repeatable.states > seen + 5 || !sink.running, {
        timeoutMs: 120_000,
        what: 'transfers seen',
      });
      expect(sink.running, sink.output).toBe(true);
      await transfers.progress(20);
      sink.signal('SIGKILL');
      expect(await sink.exit()).toEqual({ code: null, signal: 'SIGKILL' });
    }
    await using sink = startSink(ctx, { args });
    await transfers.progress(100);
    await transfers.stop();
    await expectCaughtUp(ctx, [capture, sink]);
    await expectSoundTopics(ctx);
    for (const auditor of [committed, repeatable]) {
      await auditor.stop();
      expect(auditor.problems).toEqual([]);
      expect(auditor.looks).toBeGreaterThan(100);
      expect(auditor.states).toBeGreaterThan(5 * kills);
    }
    await noticesAPart(ctx.destination);
  });
});

/** Half of a transfer, as a torn transaction would show it. */
async function noticesAPart(destination: TestDatabase): Promise<void> {
  await using auditor = new Auditor(destination, 'read committed');
  await eventually(() => auditor.looks > 0);
  expect(auditor.problems).toEqual([]);
  await destination.query('UPDATE account SET balance = balance - 7 WHERE id = 1');
  await eventually(() => auditor.problems.length > 0, { what: 'a torn transfer being noticed' });
}
