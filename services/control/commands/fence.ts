import { ExitCode } from '../../../shared/errors.ts';
import { connect } from '../../../shared/postgres/connection.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import type { Task } from '../../../shared/task/task.ts';
import { emitFence } from '../fence/emit-fence.ts';
import { requireStreaming, waitApplied } from '../fence/wait-applied.ts';
import { countText, durationText } from '../observe/units.ts';
import { note, writeJson, writeLine } from '../output.ts';
import { compareAtFence } from '../verification/compare-at-fence.ts';
import { comparisonText } from '../verification/report.ts';
import { interruptible, timeoutSeconds } from './interruption.ts';
import { openTask } from './task-context.ts';

/** Exit code 3 when the two ends differ. */
export async function fence(options: TaskArguments): Promise<number> {
  const { task } = await openTask(options, false);
  const seconds = timeoutSeconds(options.timeout);
  const json = options.json === true;
  return interruptible(async (signal) => {
    if (options.compare === true) return compare(task, { seconds, json, signal });
    const started = performance.now();
    const lsn = formatLsn(await reachFence(task, seconds, signal));
    const waited = (performance.now() - started) / 1000;
    if (json) writeJson({ task: task.name, fence: lsn, seconds: waited });
    else writeLine(`everything committed before the fence at ${lsn} is applied (${durationText(waited)})`);
    return ExitCode.ok;
  });
}

/** Sets a fence and waits for it. */
export async function reachFence(task: Task, seconds: number, signal: AbortSignal) {
  const deadline = performance.now() + seconds * 1000;
  const destination = await connect(task.destination, { applicationName: 'sluice fence', end: 'destination' });
  try {
    await requireStreaming(destination, task);
    const lsn = await emitFence(task);
    await waitApplied(destination, task, { fence: lsn, deadline, signal });
    return lsn;
  } finally {
    await destination.end();
  }
}

async function compare(
  task: Task,
  { seconds, json, signal }: { readonly seconds: number; readonly json: boolean; readonly signal: AbortSignal },
): Promise<number> {
  let told = Number.NEGATIVE_INFINITY;
  const comparison = await compareAtFence({
    task,
    timeoutSeconds: seconds,
    signal,
    report: ({ rows, tables, tablesDone }) => {
      if (json || !process.stderr.isTTY || performance.now() - told < 1000) return;
      told = performance.now();
      note(`compared ${countText(rows)} rows, ${tablesDone} of ${tables} tables`);
    },
  });
  if (json) writeJson(comparison);
  else writeLine(comparisonText(comparison));
  return comparison.equal ? ExitCode.ok : ExitCode.different;
}
