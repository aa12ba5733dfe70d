import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/**
 * Faults at random by hand, one seed after the other, until the time is over or one fails:
 *
 *   npm run test:random -- --minutes 60 [--seed 1] [--rounds 5] [--brokers 1|3]
 *
 * Without --brokers every fourth seed has three.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    brokers: { type: 'string' },
  },
});

const deadline = Date.now() + Number(values.minutes) * 60_000;
let seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
for (; Date.now() < deadline; seed++) {
  const brokers = values.brokers ?? (seed % 4 === 0 ? '3' : '1');
  process.stderr.write(`seed ${seed}, ${brokers} brokers\n`);
  if ((await run({ SLUICE_SEED: String(seed), SLUICE_BROKERS: brokers, SLUICE_ROUNDS: values.rounds })) === 0) continue;
  process.stderr.write(`seed ${seed} fails; again: SLUICE_SEED=${seed} SLUICE_BROKERS=${brokers} `);
  process.stderr.write(
    `SLUICE_ROUNDS=${values.rounds} npx vitest run --project fault test/fault/random-faults.test.ts\n`,
  );
  process.exit(1);
}

/** The run has servers of its own: the shared ones are not started. */
function run(env: Readonly<Record<string, string>>): Promise<number> {
  const none = { TEST_SOURCE_URL: '-', TEST_DESTINATION_URL: '-', TEST_BROKERS: '-', TEST_REGISTRY_URL: '-' };
  const args = ['vitest', 'run', '--project', 'fault', 'test/fault/random-faults.test.ts'];
  const child = spawn('npx', args, {
    stdio: 'inherit',
    env: { ...process.env, ...none, TEST_SERVERS: 'local', ...env },
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
