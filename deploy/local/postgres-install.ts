import { execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SluiceError } from '../../shared/errors.ts';
import { reachableDir } from './account.ts';
import { localDir, setupScript } from './paths.ts';
import type { Account } from './process.ts';

export type PostgresMajor = 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18;

const run = promisify(execFile);

/** Directory with bin/ of that version, fetched when it is missing, where the account can get to it. */
export async function postgresHome(major: PostgresMajor, account: Account | undefined): Promise<string> {
  const installed = join(localDir, 'postgres', String(major));
  if (!existsSync(join(installed, 'package'))) await fetchPostgres(major);
  const home = reachableDir(join(installed, 'native'), account);
  if (home !== join(installed, 'native')) copyOnce(installed, home);
  return home;
}

async function fetchPostgres(major: PostgresMajor): Promise<void> {
  try {
    await run('bash', [setupScript, 'postgres', String(major)]);
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    throw new SluiceError('LOCAL_STACK_FAILED', `PostgreSQL ${major} cannot be fetched: ${stderr?.trim() ?? ''}`, {
      cause,
    });
  }
}

function copyOnce(installed: string, home: string): void {
  const name = readFileSync(join(installed, 'package'), 'utf8');
  const marker = join(home, 'package');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === name) return;
  const fresh = `${home}.${process.pid}`;
  mkdirSync(dirname(home), { recursive: true });
  rmSync(fresh, { recursive: true, force: true });
  cpSync(join(installed, 'native'), fresh, { recursive: true, verbatimSymlinks: true });
  cpSync(join(installed, 'package'), join(fresh, 'package'));
  chmodSync(fresh, 0o755);
  rmSync(home, { recursive: true, force: true });
  renameSync(fresh, home);
}
