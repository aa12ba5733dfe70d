import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localStatus } from '../../deploy/local/stack.ts';
import { temporaryDir } from '../support/own-servers.ts';
import { sluice } from '../support/processes.ts';

/** Small, as it runs beside other tests; `npm run demo` is the same with more rows. */
test('the demo ends with equal databases and leaves nothing running', async () => {
  const directory = temporaryDir('demo');
  try {
    await using demo = sluice(['demo', '--rows', '30000'], { env: { SLUICE_LOCAL_DIR: directory } });
    expect(await demo.exit(600_000), demo.output).toEqual({ code: 0, signal: null });
    expect(demo.stdout).toMatch(/^ {2}result +equal$/m);
    expect(demo.stdout).toMatch(/^ {2}written meanwhile +[1-9][\d,]* transactions$/m);
    expect(demo.stderr).toMatch(/caught up after .*; comparing row by row while the load goes on/);
    expect(demo.output).not.toContain('\u001b');
    expect(await localStatus({ directory: join(directory, 'demo') })).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
});
