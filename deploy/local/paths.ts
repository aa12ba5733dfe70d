import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout, found from here: sources and built files lie at different depths. */
export const checkoutDir: string = findCheckout(dirname(fileURLToPath(import.meta.url)));

/** What setup.sh installs. */
export const localDir: string = join(checkoutDir, '.local');
export const setupScript: string = join(checkoutDir, 'deploy', 'local', 'setup.sh');

/** State, logs and data of the local stack. */
export function stackDir(): string {
  return process.env['SLUICE_LOCAL_DIR'] ?? join(localDir, 'stack');
}

/** A place outside of all home directories that stands for `path`; the same for the same path. */
export function outsideDir(path: string): string {
  return join('/var/tmp', `sluice-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`);
}

function findCheckout(start: string): string {
  let dir = start;
  while (!existsSync(join(dir, 'package.json')) || !existsSync(join(dir, 'bin', 'sluice.js'))) {
    const parent = dirname(dir);
    if (parent === dir) return start;
    dir = parent;
  }
  return dir;
}
