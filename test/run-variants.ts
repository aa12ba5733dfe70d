import { spawnSync } from 'node:child_process';
import { TUNING_VARIABLE } from '../shared/task/tuning.ts';
import { variants } from './variants.ts';

/**
 * `npm run test:variants`: the tests on real servers, once under each variant; every process that they start takes it
 * from the environment.
 *
 *   npm run test:variants -- [--only TEXT] [file filters]
 */
const argv = process.argv.slice(2);
const only = argv[0] === '--only' ? argv.splice(0, 2)[1] : undefined;
const projects = ['integration', 'fault', 'e2e'].flatMap((name) => ['--project', name]);
const run = new URL('run.ts', import.meta.url).pathname;

for (const [name, tuning] of Object.entries(variants)) {
  if (only !== undefined && !name.includes(only)) continue;
  process.stdout.write(`\n== ${name}: ${JSON.stringify(tuning)}\n`);
  const env = { ...process.env, [TUNING_VARIABLE]: JSON.stringify(tuning), TEST_PATIENCE: '4' };
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', run, ...projects, ...argv], {
    env,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
