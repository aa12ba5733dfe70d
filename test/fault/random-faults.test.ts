import { describe, expect, test } from 'vitest';
import { runRandom } from '../support/random/run.ts';

/** By hand: SLUICE_SEED, SLUICE_ROUNDS, SLUICE_BROKERS, or `npm run test:random`; else two short runs. */
const given = process.env['SLUICE_SEED'];
const rounds = Number(process.env['SLUICE_ROUNDS'] ?? 2);
const runs: readonly { seed: number; brokers: 1 | 3 }[] = given
  ? [{ seed: Number(given), brokers: process.env['SLUICE_BROKERS'] === '3' ? 3 : 1 }]
  : [
      { seed: 1, brokers: 1 },
      { seed: 57, brokers: 3 },
    ];

/** Whatever dies, hangs or is cut off while a generated load runs: both ends are equal in the end, and so are the topics. */
describe('faults at random', () => {
  for (const { seed, brokers } of runs) {
    test(
      `seed ${seed}, ${rounds} rounds, ${brokers} brokers`,
      async () => {
        const log = (line: string) => process.stderr.write(`[seed ${seed}] ${line}\n`);
        const report = await runRandom({ seed, rounds, brokers, log });
        log(JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? String(value) : value)));
        const { before, after, final } = report.positions;
        expect(report.starts).toBeGreaterThan(1);
        if (given === undefined) expect(report.failpointsHit).not.toEqual([]);
        if (given === undefined && seed === 1) expect(report.network.reset).toBeGreaterThan(0);
        expect(after).toBeGreaterThan(before);
        expect(final).toBeGreaterThan(after);
      },
      (300 + rounds * 120) * 1_000,
    );
  }
});
