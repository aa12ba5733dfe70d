import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { type SluiceProcess, sluice } from '../support/processes.ts';
import { Random } from '../support/random.ts';
import { appliedPosition } from '../support/sink-scenario.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/** Both are for runs by hand: the same seed kills in the same pattern, more rounds take longer. */
const seed = Number(process.env['SLUICE_SEED'] ?? 20_261_123);
const rounds = Number(process.env['SLUICE_ROUNDS'] ?? 6);

/** What dies in a round: one of the two services, or everything at once. */
const victims = ['capture', 'sink-postgres', 'group', 'group'] as const;

/**
 * kill -9 of a service, or of the whole process group of `sluice migrate`, at random instants of the snapshot and of
 * the stream, while clients write: started again with the same arguments, it ends with equal databases.
 */
describe('migrate killed at random', () => {
  test(`seed ${seed}, ${rounds} rounds`, async () => {
    const random = new Random(seed);
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 2_000);
    await using load = new Workload(ctx.source.url, { seed, transactionsPerSecond: 80 });
    const killed: string[] = [];
    for (let round = 0; round < rounds; round++) {
      await using migrate = startMigrate(ctx);
      const victim = round === 0 ? 'group' : random.pick(victims);
      // The first dies while it starts or reads, the others at any time after capture has taken up the stream.
      if (round > 0) await streaming(ctx);
      await delay(round === 0 ? 1_500 : random.integer(0, 4_000));
      if (victim === 'group') migrate.signalGroup('SIGKILL');
      else process.kill(await servicePid(migrate, victim), 'SIGKILL');
      killed.push(victim);
      if (victim === 'group') expect((await migrate.exit()).signal).toBe('SIGKILL');
      // A killed service is started again by migrate itself; then everything dies, too.
      else await load.progress(50);
    }
    expect(killed).toHaveLength(rounds);
    const before = await appliedPosition(ctx.destination).catch(() => ({ position: '0' }));
    await load.progress(50);
    const { committed } = await load.stop();
    expect(committed).toBeGreaterThan(100);

    await using last = startMigrate(ctx, ['--until', 'caught-up']);
    expect(await last.exit(240_000), last.output).toEqual({ code: 0, signal: null });
    await expectEqualDatabases(ctx.source.url, ctx.destination.url);
    const report = await expectSoundTopics(ctx);
    const after = await appliedPosition(ctx.destination);
    expect(report.epochs).toBeGreaterThanOrEqual(3);
    expect(BigInt(after['position']!)).toBe(report.lastPosition);
    expect(BigInt(after['position']!)).toBeGreaterThan(BigInt(before['position']!));
    expect(after['conflicts']).toBe('0');
  });
});

function startMigrate(ctx: TestContext, more: readonly string[] = []): SluiceProcess {
  const ends = ['--name', ctx.task, '--source', ctx.source.url, '--destination', ctx.destination.url];
  return sluice(['migrate', ...ends, '--brokers', ctx.brokers.join(','), '--registry', ctx.registry, ...more]);
}

/** Waits until a capture reads from the slot. */
function streaming(ctx: TestContext): Promise<unknown> {
  const sql = 'SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND active';
  return eventually(async () => (await ctx.source.value(sql)) === '1', { what: 'a capture that streams' });
}

/** The process of a service that this migrate started; waits until there is one. */
function servicePid(migrate: SluiceProcess, service: string): Promise<number> {
  return eventually(
    () => {
      if (!migrate.running) throw new Error(`migrate ended by itself:\n${migrate.output}`);
      const path = `/proc/${migrate.pid}/task/${migrate.pid}/children`;
      const children = readFileSync(path, 'utf8').trim().split(' ').filter(Boolean);
      return children.map(Number).find((pid) => commandOf(pid).includes(`services/${service}/`)) ?? false;
    },
    { what: `a ${service} process`, timeoutMs: 60_000 },
  );
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
