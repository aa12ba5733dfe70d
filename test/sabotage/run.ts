import { parseArgs } from 'node:util';
import { checkoutDir } from '../../deploy/local/paths.ts';
import { startSharedServers } from '../support/servers.ts';
import type { Breakage } from './breakage.ts';
import { breakages } from './breakages.ts';
import { CheckoutCopy } from './checkout-copy.ts';
import { runOneTest } from './run-one-test.ts';

/**
 * `npm run test:sabotage [-- --only TEXT]`: breaks one line at a time in a copy of the checkout; each breakage must turn
 * its named test red, which is green without it. Ends with `N noticed, N missed`.
 */
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const chosen = breakages.filter(({ name }) => name.includes(values.only ?? ''));
const servers = await startSharedServers();
const { source, destination, brokers, registry } = servers.addresses;
const env = {
  TEST_SOURCE_URL: source,
  TEST_DESTINATION_URL: destination,
  TEST_BROKERS: brokers.join(','),
  TEST_REGISTRY_URL: registry,
};
const green = new Map<string, boolean>();
let missed = 0;
try {
  using copy = new CheckoutCopy(checkoutDir);
  for (const breakage of chosen) {
    const verdict = await judge(copy, breakage);
    if (verdict !== 'noticed') missed++;
    process.stdout.write(`${verdict === 'noticed' ? 'ok' : 'NOT OK'}  ${breakage.name}: ${verdict}\n`);
  }
} finally {
  await servers.stop();
}
process.stdout.write(`${chosen.length - missed} noticed, ${missed} missed\n`);
process.exitCode = missed > 0 || chosen.length === 0 ? 1 : 0;

async function judge(copy: CheckoutCopy, breakage: Breakage): Promise<string> {
  const { file, name } = breakage.test;
  const key = `${file} ${name}`;
  if (!green.has(key)) green.set(key, (await runOneTest(copy.dir, breakage.test, env)) === 'passed');
  if (!green.get(key)) return `its test is not green without it (${key})`;
  using _broken = copy.break(breakage);
  const outcome = await runOneTest(copy.dir, breakage.test, env);
  return outcome === 'failed' ? 'noticed' : `${key} ${outcome}`;
}
