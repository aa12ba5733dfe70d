import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { connect } from '../../../shared/postgres/connection.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import { restoreActions } from '../../../shared/postgres/suspended-actions.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { Task } from '../../../shared/task/task.ts';
import { hasBookkeeping, readDestinationState } from '../bookkeeping/destination-state.ts';
import { SinkRequest } from '../bookkeeping/requests.ts';
import { emitFence } from '../fence/emit-fence.ts';
import type { ObjectOutcome } from '../schema/object-report.ts';
import { createHeldBack } from './held-back.ts';
import { type SequenceValue, setSequences } from './sequences.ts';

export interface CutoverReport {
  readonly task: string;
  /** False: it was cut over before, and nothing was done now. */
  readonly done: boolean;
  /** Everything that committed below it is at the destination; null when nothing was streamed. */
  readonly fence: string | null;
  readonly sequences: readonly SequenceValue[];
  /** What was held back, or refused before, and is made now. */
  readonly objects: readonly ObjectOutcome[];
  /** What the destination still refuses, and why. */
  readonly missing: readonly ObjectOutcome[];
  readonly seconds: number;
}

export interface CutoverOptions {
  readonly task: Task;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  readonly onStep?: (text: string) => void;
}

/**
 * Makes the destination the live database:
 *   fence - the sink applies what commits below it and ends - sequences - what was held back - phase `cut over`
 * Every step may be repeated; an interrupted cutover is taken up by the next one.
 * @throws SluiceError FENCE_TIMEOUT, TASK_NOT_FOUND, DESTINATION_OBJECT_FAILED
 */
export async function cutOver(options: CutoverOptions): Promise<CutoverReport> {
  const { task } = options;
  const started = performance.now();
  const source = await connect(task.source.endpoint, { applicationName: 'sluice cutover', end: 'source' });
  try {
    const destination = await connect(task.destination, { applicationName: 'sluice cutover', end: 'destination' });
    try {
      const report = await run(options, source, destination);
      return { task: task.name, ...report, seconds: (performance.now() - started) / 1000 };
    } finally {
      await destination.end();
    }
  } finally {
    await source.end();
  }
}

async function run(
  options: CutoverOptions,
  source: pg.Client,
  destination: pg.Client,
): Promise<Omit<CutoverReport, 'task' | 'seconds'>> {
  const { task, onStep = () => undefined } = options;
  const sink = (await hasBookkeeping(destination)) ? (await readDestinationState(destination, task)).sink : null;
  if (!sink)
    throw new SluiceError('TASK_NOT_FOUND', `task ${task.name} has no sink ${task.sink.name} at the destination`);
  if (sink.phase === 'cut over') return { done: false, fence: null, sequences: [], objects: [], missing: [] };
  const fence = task.types.has('incremental')
    ? await finishStream(options, destination)
    : await checkLoaded(destination, task);
  onStep('setting sequences');
  const sequences = await setSequences(source, destination, task);
  failpoint('cutover.after-sequences');
  onStep('creating what was held back');
  const { created, missing } = await createHeldBack(destination, task, options.signal);
  onStep('putting back triggers and rules');
  await restoreActions(destination, { task: task.name, sink: task.sink.name });
  failpoint('cutover.before-mark');
  await markCutOver(destination, task);
  return { done: true, fence, sequences, objects: created, missing };
}

/** What an earlier, interrupted cutover already finished stays finished: the sink has ended at its fence. */
async function finishStream(
  { task, timeoutSeconds, signal, onStep }: CutoverOptions,
  destination: pg.Client,
): Promise<string> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  const request = new SinkRequest(destination, task);
  await request.lock();
  const earlier = await request.read();
  if (earlier?.kind === 'finish' && earlier.state === 'reached') return request.lsn();
  const fence = await emitFence(task);
  onStep?.(`fence set at ${formatLsn(fence)}; waiting until all before it is applied`);
  await request.ask('finish', fence);
  failpoint('cutover.after-request');
  try {
    await request.reached(deadline, signal);
  } catch (error) {
    await request.withdrawUnreached();
    throw error;
  }
  return formatLsn(fence);
}

async function checkLoaded(destination: pg.Client, task: Task): Promise<null> {
  const { loads } = await readDestinationState(destination, task);
  const waiting = [...loads.values()].filter(({ state }) => state !== 'loaded').length;
  if (waiting === 0) return null;
  throw new SluiceError('FENCE_TIMEOUT', `${waiting} tables are not loaded yet`, {
    remedy: 'Let sluice migrate end first.',
  });
}

async function markCutOver(destination: pg.Client, task: Task): Promise<void> {
  await destination.query(
    `UPDATE sluice.sink SET phase = 'cut over', detail = '', updated_at = now() WHERE task = $1 AND sink = $2`,
    [task.name, task.sink.name],
  );
}
