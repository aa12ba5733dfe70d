import { setTimeout as delay } from 'node:timers/promises';
import { isSluiceError } from '../../shared/errors.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { type Logger, openLogger } from '../../shared/service/logger.ts';
import type { Task } from '../../shared/task/task.ts';
import { captureOnce } from './capture.ts';

export interface CaptureOptions {
  /** Ends another capture of this task that holds the lock; in the first attempt only. */
  readonly takeOver: boolean;
}

const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** An attempt that ran this long was a good one: waits begin anew. */
const GOOD_ATTEMPT = 60_000;

/**
 * Captures until `signal` aborts (then it drains), or until a task without a stream is done. Attempts that end with
 * an error that may pass are taken again, for ever: Kafka or the source may be away for long. The first attempt is
 * different: what is refused before anything was made, or cannot be reached, is most likely a wrong setting.
 * @throws SluiceError
 */
export async function runCaptureService(task: Task, options: CaptureOptions, signal: AbortSignal): Promise<void> {
  const log = openLogger('capture');
  const kafka = openKafka(task.kafka, `sluice-capture-${task.name}`, log);
  const knownEpochs = new Set<string>();
  let everStarted = false;
  let wait = FIRST_WAIT;
  for (let takeOver = options.takeOver; ; takeOver = false) {
    const began = performance.now();
    const onStarted = () => {
      everStarted = true;
    };
    try {
      await captureOnce({ task, kafka, log, takeOver, knownEpochs, onStarted }, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!everStarted || !isSluiceError(error) || error.retry === 'stop') throw error;
      if (performance.now() - began > GOOD_ATTEMPT) wait = FIRST_WAIT;
      report(log, task, { error, wait });
    }
    await delay(wait, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

function report(log: Logger, task: Task, { error, wait }: { error: Error & { code: string }; wait: number }): void {
  log.warn({ task: task.name, code: error.code }, `${error.message}; next attempt in ${wait} ms`);
}
