import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { errorCatalogue, errorCodeOf, SluiceError } from '../../../shared/errors.ts';
import { formatLsn, type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import type { Task } from '../../../shared/task/task.ts';
import { hasBookkeeping, readDestinationState } from '../bookkeeping/destination-state.ts';

const POLL_MS = 100;

/**
 * Waits until everything that commits below the fence is applied.
 * @throws SluiceError FENCE_TIMEOUT, TASK_NOT_FOUND, DESTINATION_CUT_OVER; the sink's own error once it has stopped
 */
export async function waitApplied(
  destination: pg.Client,
  task: Task,
  { fence, deadline, signal }: { readonly fence: Lsn; readonly deadline: number; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const lsn = await appliedLsn(destination, task);
    if (lsn !== null && lsn >= fence) return await makeDurable(destination);
    if (performance.now() > deadline) {
      const reached = lsn === null ? 'nothing of the stream is applied yet' : `applied is ${formatLsn(lsn)}`;
      throw new SluiceError('FENCE_TIMEOUT', `the fence at ${formatLsn(fence)} was not reached: ${reached}`);
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

interface SinkRow {
  readonly phase: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly error_remedy: string | null;
  readonly lsn: string | null;
}

async function appliedLsn(destination: pg.Client, task: Task): Promise<Lsn | null> {
  const { rows } = await destination.query<SinkRow>({
    text: `SELECT s.phase, s.error_code, s.error_message, s.error_remedy, p.lsn
           FROM sluice.sink s LEFT JOIN sluice.position p USING (task, sink)
           WHERE s.task = $1 AND s.sink = $2`,
    values: [task.name, task.sink.name],
  });
  const [row] = rows;
  if (row?.phase === 'cut over') throw new SluiceError('DESTINATION_CUT_OVER', `task ${task.name} is cut over already`);
  const stop = row ? stopped(row) : null;
  if (stop) throw stop;
  return row?.lsn == null ? null : parseLsn(row.lsn);
}

/** null: it runs, or what it met may pass. */
function stopped({ error_code: code, error_message: message, error_remedy: remedy }: SinkRow): SluiceError | null {
  if (code === null) return null;
  const known = errorCodeOf(code);
  if (errorCatalogue[known].retry === 'retry') return null;
  return new SluiceError(known, `the sink has stopped: ${message}`, remedy === null ? {} : { remedy });
}

/** The sink commits without waiting for its WAL; a commit that does wait flushes all before it. */
async function makeDurable(destination: pg.Client): Promise<void> {
  await destination.query('SELECT txid_current()');
}

/** @throws SluiceError TASK_NOT_FOUND, DESTINATION_CUT_OVER, CONFIG_INVALID */
export async function requireStreaming(destination: pg.Client, task: Task): Promise<void> {
  if (!task.types.has('incremental')) {
    throw new SluiceError('CONFIG_INVALID', `task ${task.name} streams no changes, so there is nothing to fence`);
  }
  const known = (await hasBookkeeping(destination)) && (await readDestinationState(destination, task)).sink;
  if (!known)
    throw new SluiceError('TASK_NOT_FOUND', `task ${task.name} has no sink ${task.sink.name} at the destination`);
  if (known.phase === 'cut over')
    throw new SluiceError('DESTINATION_CUT_OVER', `task ${task.name} is cut over already`);
}
