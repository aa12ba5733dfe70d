import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, errorCatalogue, SluiceError } from '../../../shared/errors.ts';
import type { FailedMessage } from '../../../shared/service/run.ts';
import { failure, type HeldService, type ServiceName, serviceEnvironment, spawnService } from './service-process.ts';

export interface SuperviseOptions {
  readonly service: ServiceName;
  readonly argv: readonly string[];
  /** For the first process only: switches such as --take-over. */
  readonly firstArgv?: readonly string[];
  /** Started with `argv` and `firstArgv` before: its process is the first. */
  readonly held?: HeldService | undefined;
  /** A server that is away is waited for from the first start on; else it ends a service that never came to run. */
  readonly patient: boolean;
  /** Whether exit code 0, unasked, is the end of its work; else somebody ended it and it is started again. */
  readonly isDone: () => Promise<boolean>;
  /** A line of its log, and what happens to its process. */
  readonly onLine: (line: string) => void;
  readonly onEvent: (text: string) => void;
  readonly signal: AbortSignal;
}

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 10_000;
/** A process that lived this long was a good one: waits begin anew. */
const GOOD_RUN_MS = 30_000;
/** So many ends in a row without a good run: it will not get better. */
const MOST_BAD_RUNS = 8;
const DRAIN_MS = 60_000;

type End =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'failed'; readonly message: FailedMessage };

/**
 * Keeps one service running as a child process until its work is done or `signal` aborts, which drains it.
 * One that was killed is started again, with growing waits; a final error of its own ends the supervision.
 * @throws SluiceError what the service reported
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { signal, onEvent, service } = options;
  let wait = FIRST_WAIT_MS;
  let bad = 0;
  for (let first = true; !signal.aborted; first = false) {
    const began = performance.now();
    const end = await runOnce(options, first);
    if (signal.aborted) return;
    if (end.kind === 'exit' && end.code === 0 && (await options.isDone())) return;
    const good = performance.now() - began > GOOD_RUN_MS;
    // What kills it from outside says nothing of the service, nor does a server that is away: started again for ever.
    if (end.kind === 'exit') bad = good ? 0 : bad + 1;
    if (good) wait = FIRST_WAIT_MS;
    if (end.kind === 'failed' && isFinal(end.message, first && !options.patient)) throw failure(end.message);
    if (bad >= MOST_BAD_RUNS) throw hopeless(service, describe(end));
    onEvent(`${service} ${describe(end)}; it is started again in ${wait / 1000} s`);
    await delay(wait, undefined, { signal }).catch(() => undefined);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function runOnce(options: SuperviseOptions, first: boolean): Promise<End> {
  const { service, argv, firstArgv = [], held, onLine, signal } = options;
  const child = held?.begin() ?? spawnService(service, first ? [...argv, ...firstArgv] : argv, serviceEnvironment());
  let failed: FailedMessage | null = null;
  child.on('message', (message: FailedMessage) => {
    if (message.kind === 'failed') failed = message;
  });
  if (child.stderr) createInterface({ input: child.stderr }).on('line', onLine);
  const drain = () => drainChild(child);
  signal.addEventListener('abort', drain);
  if (signal.aborted) drain();
  try {
    const [code, by] = await exitOf(child);
    if (failed) return { kind: 'failed', message: failed };
    return by === null ? { kind: 'exit', code: code ?? 0 } : { kind: 'signal', signal: by };
  } finally {
    signal.removeEventListener('abort', drain);
  }
}

/** `close` never comes to a parent that has closed the channel itself: the end of process and log it is. */
async function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  const logged = child.stderr === null ? Promise.resolve() : once(child.stderr, 'close');
  const ended = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  await logged;
  return ended;
}

/** The end of the channel is what asks it to drain; one that does not is killed, which is safe at any instant. */
function drainChild(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
  child.once('exit', () => clearTimeout(timer));
}

function isFinal({ code }: FailedMessage, evenIfItMayPass: boolean): boolean {
  const entry = errorCatalogue[code as ErrorCode] as (typeof errorCatalogue)[ErrorCode] | undefined;
  return evenIfItMayPass || entry?.retry !== 'retry';
}

function hopeless(service: ServiceName, how: string): SluiceError {
  return new SluiceError(
    'INTERNAL',
    `${service} ended ${MOST_BAD_RUNS} times in a row soon after its start: it ${how}`,
  );
}

function describe(end: End): string {
  if (end.kind === 'signal') return `was killed by ${end.signal}`;
  return end.kind === 'failed' ? `stopped: ${end.message.message}` : `ended with exit code ${end.code}`;
}
