import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkoutDir } from '../../deploy/local/paths.ts';

/** In a process that may have loaded kafkajs before; what its connections build requests with. */
function builderOfRequests(before: string): string {
  const module = JSON.stringify(join(checkoutDir, 'shared', 'kafka', 'kafkajs.ts'));
  const script = `
    ${before}
    await import(${module});
    const load = (await import('node:module')).createRequire(${module});
    console.log(load('kafkajs/src/protocol/request').name);`;
  const options = { cwd: checkoutDir, encoding: 'utf8' } as const;
  return execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], options).trim();
}

test('requests are built without copies, also where kafkajs was loaded before', () => {
  expect(createRequire(import.meta.url)('kafkajs/src/protocol/request').name).not.toBe('wholeRequest');
  expect(builderOfRequests('')).toBe('wholeRequest');
  expect(builderOfRequests(`await import('kafkajs');`)).toBe('wholeRequest');
});
