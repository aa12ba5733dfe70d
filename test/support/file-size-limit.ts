import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { childrenOf } from '../../deploy/local/process.ts';

/**
 * Lets a server and all that it started write no file beyond so many bytes, as if its disk were full there; new
 * processes of it inherit the limit. null: no limit any more.
 */
export async function limitFileSize({ pid }: { readonly pid: number }, bytes: number | null): Promise<void> {
  const children = await childrenOf(pid);
  for (const each of [pid, ...children.map((child) => child.pid)]) {
    const limit = `--fsize=${bytes ?? 'unlimited'}:`;
    // Who may be limited is who is of the same account.
    const { uid, gid } = statSync(`/proc/${each}`, { throwIfNoEntry: false }) ?? {};
    if (uid === undefined || gid === undefined) continue;
    try {
      execFileSync('prlimit', [limit, '--pid', String(each)], { stdio: 'pipe', uid, gid });
    } catch (error) {
      // A child that ended meanwhile.
      if (each === pid) throw error;
    }
  }
}
