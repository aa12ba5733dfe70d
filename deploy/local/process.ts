import { execFile, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SluiceError } from '../../shared/errors.ts';

/** A process as the state file names it: a pid alone may belong to somebody else by now. */
export interface LocalProcess {
  readonly pid: number;
  /** Opaque; equal for the same process only. */
  readonly started: string;
}

export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Appended to. */
  readonly log: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly account?: Account | undefined;
}

/** Whom a process runs as, where that is not us. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Starts a process in a session of its own, which outlives this one. */
export async function launch(options: LaunchOptions): Promise<LocalProcess> {
  mkdirSync(dirname(options.log), { recursive: true });
  const log = openSync(options.log, 'a');
  try {
    const child = spawn(options.command, [...options.args], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...options.account,
    });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    child.unref();
    const pid = child.pid as number;
    return { pid, started: (await startTime(pid)) ?? 'ended' };
  } catch (cause) {
    throw new SluiceError('LOCAL_STACK_FAILED', `${options.command} cannot be started`, { cause });
  } finally {
    closeSync(log);
  }
}

export async function ourselves(): Promise<LocalProcess> {
  return { pid: process.pid, started: (await startTime(process.pid)) ?? 'unknown' };
}

export async function isRunning(target: LocalProcess): Promise<boolean> {
  return (await startTime(target.pid)) === target.started;
}

/** Sends the signal to that very process; false when it does not run any more. */
export async function signal(target: LocalProcess, name: NodeJS.Signals): Promise<boolean> {
  if (!(await isRunning(target))) return false;
  try {
    process.kill(target.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Ends it by the signal, and by SIGKILL when it still runs after `graceMs`. */
export async function end(target: LocalProcess, name: NodeJS.Signals, graceMs = 30_000): Promise<void> {
  if (!(await signal(target, name))) return;
  if (await ended(target, graceMs)) return;
  await signal(target, 'SIGKILL');
  if (!(await ended(target, 10_000))) {
    throw new SluiceError('LOCAL_STACK_FAILED', `process ${target.pid} does not end`, { context: { pid: target.pid } });
  }
}

/** Whether it ended within `timeoutMs`. */
export async function ended(target: LocalProcess, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (await isRunning(target)) {
    if (Date.now() > deadline) return false;
    await delay(20);
  }
  return true;
}

/** Whether, within `timeoutMs`, not even its exit status was left: until then its pid is taken. */
export async function reaped({ pid }: LocalProcess, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    if (Date.now() > deadline) return false;
    await delay(10);
  }
}

export async function childrenOf(pid: number): Promise<LocalProcess[]> {
  const pids = process.platform === 'linux' ? linuxChildren(pid) : await psChildren(pid);
  const found = await Promise.all(pids.map(async (child) => ({ pid: child, started: await startTime(child) })));
  return found.flatMap(({ pid: child, started }) => (started === null ? [] : [{ pid: child, started }]));
}

/** null: no such process, or only its exit status is left. */
async function startTime(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return psStartTime(pid);
  const stat = linuxStat(pid);
  return stat === null || stat.state === 'Z' || stat.state === 'X' ? null : `${bootId()}/${stat.started}`;
}

/** proc_pid_stat(5); the name in parentheses may hold anything. */
function linuxStat(pid: number): { state: string; parent: number; started: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parent: Number(fields[1]), started: fields[19] ?? '' };
  } catch {
    return null;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function linuxChildren(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((candidate) => linuxStat(candidate)?.parent === pid);
}

const run = promisify(execFile);

async function psStartTime(pid: number): Promise<string | null> {
  try {
    const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
    return stdout.trim().startsWith('Z') ? null : stdout.trim().replace(/^\S+\s+/, '');
  } catch {
    return null;
  }
}

async function psChildren(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return rows.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}
