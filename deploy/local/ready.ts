import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../shared/errors.ts';
import { end, isRunning, type LocalProcess } from './process.ts';

export interface ReadyOptions {
  /** Named in messages: `PostgreSQL 17`. */
  readonly what: string;
  readonly process: LocalProcess;
  readonly log: string;
  readonly timeoutMs?: number;
}

/**
 * Waits until `probe` does not throw.
 * @throws SluiceError LOCAL_STACK_FAILED with the end of the log when the process ends or the time is over.
 */
export async function untilReady(options: ReadyOptions, probe: () => Promise<void>): Promise<void> {
  const timeoutMs = options.timeoutMs ?? 120_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const alive = await isRunning(options.process);
    try {
      if (alive) return await probe();
    } catch (cause) {
      if (Date.now() > deadline) throw failed(options, `did not answer within ${timeoutMs / 1000} s`, cause);
    }
    if (!alive) throw failed(options, 'ended while it started');
    await delay(50);
  }
}

/** Leaves no process behind that did not get ready. */
export async function orEnd(process: LocalProcess, ready: Promise<void>): Promise<void> {
  try {
    await ready;
  } catch (error) {
    await end(process, 'SIGKILL');
    throw error;
  }
}

function failed({ what, log }: ReadyOptions, why: string, cause?: unknown): SluiceError {
  return new SluiceError('LOCAL_STACK_FAILED', `${what} ${why}; its log ${log} ends with:\n${tail(log)}`, {
    context: { log },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function tail(path: string, lines = 12): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
