import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../shared/errors.ts';
import { isRunning, type LocalProcess } from './process.ts';

export const localParts = ['kafka', 'registry', 'source', 'destination'] as const;
export type LocalPart = (typeof localParts)[number];

/** One server as last started here; it may have ended since. */
export interface PartState {
  readonly process: LocalProcess;
  readonly port: number;
  /** `host:port` for Kafka, else a URL. */
  readonly address: string;
  readonly dataDir: string;
  readonly log: string;
}

export type StackState = Partial<Record<LocalPart, PartState>>;

export function readState(directory: string): StackState {
  try {
    return JSON.parse(readFileSync(stateFile(directory), 'utf8')) as StackState;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new SluiceError('LOCAL_STACK_FAILED', `${stateFile(directory)} cannot be read`, { cause });
  }
}

/** Readers see the old state or the new one. It holds the password of the local servers. */
export function writeState(directory: string, state: StackState): void {
  const fresh = `${stateFile(directory)}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, stateFile(directory));
}

/** Two commands never change one stack at the same time; a lock whose holder ended is taken over. */
export async function withStackLock<T>(directory: string, holder: LocalProcess, work: () => Promise<T>): Promise<T> {
  const lock = join(directory, 'lock');
  mkdirSync(directory, { recursive: true });
  for (;;) {
    if (tryLock(lock, holder)) break;
    const other = readHolder(lock);
    if (other === null || !(await isRunning(other))) rmSync(lock, { force: true });
    else await delay(100);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function tryLock(lock: string, holder: LocalProcess): boolean {
  try {
    writeFileSync(lock, JSON.stringify(holder), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(lock: string): LocalProcess | null {
  try {
    return JSON.parse(readFileSync(lock, 'utf8')) as LocalProcess;
  } catch {
    return null;
  }
}

function stateFile(directory: string): string {
  return join(directory, 'stack.json');
}
