import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { startVitest, type TestCase, type TestModule, type Vitest } from 'vitest/node';

/**
 * `npm test`: runs the tests and says, in its last line, what vitest really ran: `N passed, N failed, N skipped`.
 * A skip fails unless skip-allow-list.json names it: [{"file": "test/...", "test": "full name", "reason": "..."}].
 *
 *   npm test -- [--project unit] [file filters]
 */

interface AllowedSkip {
  readonly file: string;
  /** Full name, describes joined by ` > `. */
  readonly test: string;
  readonly reason: string;
}

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  readonly problems: string[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: 'string', multiple: true } },
});
const root = new URL('..', import.meta.url).pathname;
const allowed = JSON.parse(readFileSync(new URL('skip-allow-list.json', import.meta.url), 'utf8')) as AllowedSkip[];

process.env['CI'] ??= 'true';
const tally = await run();

for (const problem of tally.problems) process.stdout.write(`${problem}\n`);
const failed = tally.failed > 0 || tally.problems.length > 0;
process.exitCode = failed ? 1 : 0;
process.once('exit', () => {
  process.stdout.write(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`);
});

async function run(): Promise<Tally> {
  try {
    const vitest = await startVitest('test', positionals, {
      root,
      watch: false,
      ...(values.project && { project: values.project }),
    });
    const result = count(vitest);
    await vitest.close();
    return result;
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, problems: [`the tests did not start: ${(error as Error).message}`] };
  }
}

function count({ state }: Vitest): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, problems: [] };
  for (const module of state.getTestModules()) {
    for (const test of module.children.allTests()) countTest(tally, module, test);
    for (const error of brokenFile(module)) {
      tally.failed++;
      tally.problems.push(`${fileOf(module)}: ${error}`);
    }
  }
  // An error outside of any test: a promise nobody waited for, a global set-up that failed.
  for (const error of state.getUnhandledErrors()) {
    tally.failed++;
    tally.problems.push(`unhandled: ${String((error as Error).message ?? error)}`);
  }
  if (tally.passed + tally.failed === 0) tally.problems.push('no test ran');
  return tally;
}

function countTest(tally: Tally, module: TestModule, test: TestCase): void {
  const { state } = test.result();
  if (state === 'passed') tally.passed++;
  else if (state === 'failed') tally.failed++;
  else if (state === 'skipped') {
    tally.skipped++;
    if (!isAllowed(module, test)) tally.problems.push(`skipped and not allowed: ${fileOf(module)} > ${test.fullName}`);
  } else {
    tally.failed++;
    tally.problems.push(`never ran: ${fileOf(module)} > ${test.fullName}`);
  }
}

function isAllowed(module: TestModule, test: TestCase): boolean {
  return allowed.some((entry) => entry.file === fileOf(module) && entry.test === test.fullName);
}

/** Errors of files and their hooks, which belong to no test. */
function brokenFile(module: TestModule): string[] {
  const suites = [...module.children.allSuites()].flatMap((suite) => suite.errors());
  const errors = [...module.errors(), ...suites].map(({ message }) => message);
  const empty = [...module.children.allTests()].length === 0 && errors.length === 0;
  return empty ? ['holds no test'] : errors;
}

function fileOf(module: TestModule): string {
  return relative(root, module.moduleId);
}
