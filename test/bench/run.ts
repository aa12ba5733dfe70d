import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { localDir } from '../../deploy/local/paths.ts';
import { Cleanup } from '../support/cleanup.ts';
import type { Bench, Outcome, Workload } from './bench.ts';
import { reportText } from './report/report.ts';
import { BenchServers } from './servers.ts';
import { workloads } from './workloads.ts';

/**
 * `npm run bench`: everything measured beside its baseline, on the same servers, in turns; docs/performance.md.
 *
 *   npm run bench -- [WORKLOAD...] [--rounds 3] [--scale 1] [--profile] [--out DIR]
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    out: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});
const rounds = positive('rounds', values.rounds);
const scale = positive('scale', values.scale);
const began = new Date();
const out = resolve(values.out ?? join(localDir, 'bench', began.toISOString().slice(0, 19).replaceAll(':', '-')));

await using cleanup = new Cleanup();
const chosen = positionals.length > 0 ? positionals.map(workloadNamed) : workloads;
mkdirSync(out, { recursive: true });
say(`starts the servers; the report goes to ${out}`);
const servers = await BenchServers.start(cleanup);
const outcomes = new Map<Workload, Outcome>();
for (const workload of chosen) {
  say(`${workload.name}: ${workload.title}`);
  const bench: Bench = {
    servers,
    rounds,
    profileDir: values.profile ? join(out, 'profiles', workload.name) : null,
    scaled: (count) => Math.max(1, Math.round(count * scale)),
    say: (text) => say(`  ${text}`),
  };
  outcomes.set(workload, await workload.run(bench));
  writeFileSync(
    join(out, 'results.json'),
    JSON.stringify(Object.fromEntries([...outcomes].map(([w, o]) => [w.name, o])), null, 2),
  );
}
const report = reportText(outcomes);
writeFileSync(join(out, 'report.md'), report);
process.stdout.write(`\n${report}`);

function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name);
  if (found) return found;
  process.stderr.write(`unknown workload ${name}; there are ${workloads.map((known) => known.name).join(', ')}\n`);
  process.exit(2);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  process.stderr.write(`--${option} ${text}: a number above 0 is needed\n`);
  process.exit(2);
}

function say(text: string): void {
  const seconds = Math.round((Date.now() - began.getTime()) / 1000);
  process.stdout.write(`${String(seconds).padStart(5)} s  ${text}\n`);
}
