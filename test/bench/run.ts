import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { localDir } from '../../deploy/local/paths.ts';
import { Cleanup } from '../support/cleanup.ts';
import type { Bench, Workload } from './bench.ts';
import { checksOf, verdictOf } from './checks.ts';
import { describeRun } from './report/machine.ts';
import type { Measured } from './report/report.ts';
import { publishReport, writeReport } from './report/write.ts';
import { BenchServers } from './servers.ts';
import { workloads } from './workloads.ts';

/**
 * `npm run bench`: everything measured beside its baseline, on the same servers, in turns; docs/performance.md.
 *
 *   npm run bench -- [WORKLOAD...] [--rounds 3] [--scale 1] [--profile] [--out DIR] [--publish]
 *
 * Exit code 1: something is below its floor.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    out: { type: 'string' },
    profile: { type: 'boolean', default: false },
    publish: { type: 'boolean', default: false },
  },
});
const sizes = { rounds: positive('rounds'), scale: positive('scale') };
const chosen = positionals.length > 0 ? positionals.map(workloadNamed) : workloads.filter(({ onDemand }) => !onDemand);
const began = new Date();
const stamp = began.toISOString().slice(0, 19).replaceAll(':', '-');
const out = resolve(values.out ?? join(localDir, 'bench', stamp));

await using cleanup = new Cleanup();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void interrupted());
say(`starting the servers; the report goes to ${out}`);
const servers = await BenchServers.start(cleanup);
const run = await describeRun(servers, sizes);
const measured: Measured[] = [];
for (const workload of chosen) {
  say(`${workload.name}: ${workload.title}`);
  const outcome = await workload.run(benchFor(workload));
  measured.push({ workload, outcome });
  // Each time, so that nothing is lost when a later one fails.
  writeReport(out, { run, measured });
}
if (values.publish) publishReport({ run, measured });
process.stdout.write(`\n${writeReport(out, { run, measured })}`);
const failed = measured
  .flatMap(({ workload, outcome }) => checksOf(workload.name, outcome))
  .filter((check) => verdictOf(check) === 'below the floor');
for (const { workload, what } of failed) process.stdout.write(`below the floor: ${workload}, ${what}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;

function benchFor(workload: Workload): Bench {
  return {
    servers,
    rounds: sizes.rounds,
    scaled: (count) => Math.max(1, Math.round(count * sizes.scale)),
    profileDir: (samples, figures = []) => {
      const missed = checksOf(workload.name, { samples, figures }).some((check) => verdictOf(check) !== 'met');
      return values.profile || missed ? join(out, 'profiles', workload.name) : null;
    },
    say: (text) => say(`  ${text}`),
  };
}

async function interrupted(): Promise<never> {
  // What was under way fails when its servers go.
  process.on('uncaughtException', () => undefined);
  await cleanup[Symbol.asyncDispose]().catch(() => undefined);
  process.exit(130);
}

function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name);
  return found ?? refuse(`unknown workload ${name}; there are ${workloads.map((known) => known.name).join(', ')}`);
}

function positive(option: 'rounds' | 'scale'): number {
  const value = Number(values[option]);
  return value > 0 ? value : refuse(`--${option} ${values[option]}: a number above 0 is needed`);
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function say(text: string): void {
  const seconds = Math.round((Date.now() - began.getTime()) / 1000);
  process.stdout.write(`${String(seconds).padStart(5)} s  ${text}\n`);
}
