import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkoutDir } from '../../deploy/local/paths.ts';
import { startSharedServers } from '../support/servers.ts';
import { ALL_PAIRS, parsePair } from './core.ts';

/**
 * `npm run test:versions [-- 14:17 10:18 ...]`: the core of the suite, for each pair of a source's and a
 * destination's version; without arguments for all of ALL_PAIRS. Fails when one of them fails.
 */
const pairs = process.argv.length > 2 ? process.argv.slice(2) : ALL_PAIRS;
for (const pair of pairs) parsePair(pair);

const shared = await startSharedServers();
const { source, destination, brokers, registry } = shared.addresses;
const env = {
  ...process.env,
  TEST_SOURCE_URL: source,
  TEST_DESTINATION_URL: destination,
  TEST_BROKERS: brokers.join(','),
  TEST_REGISTRY_URL: registry,
};
const failed: string[] = [];
try {
  for (const pair of pairs) {
    process.stdout.write(`source ${pair.replace(':', ', destination ')}\n`);
    if ((await testsOf(pair)) !== 0) failed.push(pair);
  }
} finally {
  await shared.stop();
}
process.stdout.write(failed.length === 0 ? `all ${pairs.length} pairs passed\n` : `failed: ${failed.join(' ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

function testsOf(pair: string): Promise<number | null> {
  const args = ['--import', 'tsx', join(checkoutDir, 'test', 'run.ts'), '--project', 'versions'];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...env, TEST_VERSIONS: pair } });
  return new Promise((resolve) => child.once('exit', resolve));
}
