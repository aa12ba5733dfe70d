import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Breakage } from './breakage.ts';

export type TestOutcome = 'passed' | 'failed' | 'not run';

interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Runs the named test in `dir`, as a process; what its own report says of it. */
export async function runOneTest(dir: string, test: Breakage['test'], env: NodeJS.ProcessEnv): Promise<TestOutcome> {
  const report = join(dir, 'sabotage-report.json');
  rmSync(report, { force: true });
  const pattern = test.name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const args = ['vitest', 'run', test.file, '-t', pattern, '--reporter=json', `--outputFile=${report}`];
  await new Promise((resolve) => {
    spawn('npx', args, { cwd: dir, env: { ...process.env, ...env }, stdio: 'ignore' }).once('exit', resolve);
  });
  return readOutcome(report);
}

function readOutcome(path: string): TestOutcome {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    return 'not run';
  }
  const statuses = report.testResults.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  if (statuses.includes('failed')) return 'failed';
  return statuses.includes('passed') ? 'passed' : 'not run';
}
