import { setFlagsFromString } from 'node:v8';
import { type ReportedError, reportError } from './error-report.ts';

/** What a service says to the process that started it with an IPC channel. */
export interface FailedMessage {
  readonly kind: 'failed';
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly exit: number;
}

/** Set by a parent that watches: without the channel it is gone already, even if it ended before we could listen. */
export const PARENT_VARIABLE = 'SLUICE_PARENT';
/** Set by a parent that starts a process before it is known whether there is work: it loads, and waits to be told. */
export const HELD_VARIABLE = 'SLUICE_HELD';

/** What that parent says then; before it, it may ask. */
export interface BeginMessage {
  readonly kind: 'begin' | 'ask';
}

/** What it was asked for. Where it cannot be had, a `FailedMessage` comes, and the service waits on. */
export interface AnswerMessage {
  readonly kind: 'answer';
  readonly value: unknown;
}

const SAME_SIGNAL_MS = 500;
/** Memory is looked through when it has grown by this part of what lived: else when it is up to four times as much. */
const HEAP_GROWTH_PERCENT = 120;

/**
 * Runs a service as the whole of this process, and ends the process.
 * SIGTERM, SIGINT and the end of the parent's IPC channel abort `signal`: the service drains and returns, exit code 0.
 * A second signal ends the process at once. An error is reported, to the parent where there is one, else on stderr,
 * and gives the exit code. `answer` gives, as JSON, what a parent that holds the service may ask for.
 */
export async function runService(
  body: (signal: AbortSignal) => Promise<void>,
  answer?: () => Promise<unknown>,
): Promise<never> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const stop = new AbortController();
  const hasParent = process.connected === true;
  let stoppedAt = 0;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      // A terminal and a parent may both deliver one Ctrl-C.
      if (stop.signal.aborted && performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(130);
      if (!stop.signal.aborted) stoppedAt = performance.now();
      stop.abort(new Error(name));
    });
  }
  process.once('disconnect', () => stop.abort(new Error('the parent process ended')));
  if (process.env[PARENT_VARIABLE] !== undefined && !hasParent) process.exit(0);
  try {
    if (process.env[HELD_VARIABLE] !== undefined) await toldToBegin(stop.signal, answer);
    if (!stop.signal.aborted) await body(stop.signal);
    process.exit(0);
  } catch (error) {
    const reported = reportError(error);
    if (hasParent && process.connected) await tell(failed(reported));
    else reported.print(process.stderr);
    process.exit(reported.exit);
  }
}

function toldToBegin(signal: AbortSignal, answer?: () => Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    process.on('message', ({ kind }: BeginMessage) => {
      if (kind === 'begin') resolve();
      else
        void answer?.().then(
          (value) => tell({ kind: 'answer', value }),
          (error: unknown) => tell(failed(reportError(error))),
        );
    });
  });
}

function failed({ exit, report }: ReportedError): FailedMessage {
  return { kind: 'failed', ...report, exit };
}

function tell(message: FailedMessage | AnswerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}
