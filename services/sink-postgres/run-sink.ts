import { setTimeout as delay } from 'node:timers/promises';
import { isSluiceError, type SluiceError } from '../../shared/errors.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { type Logger, openLogger } from '../../shared/service/logger.ts';
import type { Task } from '../../shared/task/task.ts';
import { type Destination, openSession } from './bookkeeping/session.ts';
import { writeError } from './bookkeeping/sink-status.ts';
import { sinkOnce } from './sink.ts';

const FIRST_WAIT = 250;
const LONGEST_WAIT = 10_000;
/** An attempt that ran this long was a good one: waits begin anew. */
const GOOD_ATTEMPT = 60_000;

/**
 * Runs the sink until `signal` fires (then it drains), until control's `finish` is reached, or until a task without a
 * stream is done. Attempts that end with an error that may pass are taken again, for ever; but what cannot be reached
 * at the very first one is most likely a wrong setting.
 * @throws SluiceError
 */
export async function runSinkService(task: Task, signal: AbortSignal): Promise<void> {
  const log = openLogger('sink');
  const kafka = openKafka(task.kafka, `sluice-sink-${task.name}-${task.sink.name}`, log);
  const destination: Destination = {
    endpoint: task.destination,
    identity: { task: task.name, sink: task.sink.name },
  };
  let everStarted = false;
  const onStarted = () => {
    everStarted = true;
  };
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    const began = performance.now();
    try {
      await sinkOnce({ task, kafka, destination, log, onStarted }, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      await report(destination, error, log);
      if (!everStarted || !isSluiceError(error) || error.retry === 'stop') throw error;
      if (performance.now() - began > GOOD_ATTEMPT) wait = FIRST_WAIT;
      log.warn({ task: task.name, code: error.code }, `${error.message}; next attempt in ${wait} ms`);
    }
    await delay(wait, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

/** For status, as well as it can be done: the destination may be what failed. Cleared at the next good start. */
async function report(destination: Destination, error: unknown, log: Logger): Promise<void> {
  if (!isSluiceError(error) || error.code === 'POSTGRES_UNREACHABLE') return;
  try {
    await write(destination, error);
  } catch (failure) {
    log.debug({ err: failure }, 'the error could not be written to the destination');
  }
}

async function write(destination: Destination, { code, message, remedy }: SluiceError): Promise<void> {
  const client = await openSession(destination, 'error');
  try {
    await writeError(client, destination.identity, { code, message, remedy });
  } finally {
    await client.end();
  }
}
