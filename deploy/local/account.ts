import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SluiceError } from '../../shared/errors.ts';
import { outsideDir } from './paths.ts';
import type { Account } from './process.ts';

/** PostgreSQL refuses to run as root: as root, the account it runs as instead; undefined: ourselves. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'));
  const [uid, gid] = line?.split(':').slice(2, 4).map(Number) ?? [];
  if (uid === undefined || gid === undefined) {
    throw new SluiceError('LOCAL_STACK_FAILED', 'PostgreSQL cannot run as root, and there is no account nobody');
  }
  return { uid, gid };
}

/** `path`, or a place that stands for it where the account can get to. */
export function reachableDir(path: string, account: Account | undefined): string {
  if (account === undefined || canEnter(dirname(resolve(path)), account)) return path;
  const outside = outsideDir(resolve(path));
  mkdirSync(outside, { recursive: true, mode: 0o711 });
  if (statSync(outside).uid !== process.getuid?.()) {
    throw new SluiceError('LOCAL_STACK_FAILED', `${outside} belongs to somebody else`, { context: { path: outside } });
  }
  return `${outside}/content`;
}

/** Whether the account may pass through this directory and all above it; missing ones will be made so. */
function canEnter(dir: string, { uid, gid }: Account): boolean {
  const parent = dirname(dir);
  if (parent !== dir && !canEnter(parent, { uid, gid })) return false;
  if (!existsSync(dir)) return true;
  const stat = statSync(dir);
  const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0;
  return ((stat.mode >> shift) & 1) === 1;
}
