import { ExitCode } from '../../../shared/errors.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { type CutoverReport, cutOver } from '../cutover/cut-over.ts';
import { durationText } from '../observe/units.ts';
import { note, writeJson, writeLine } from '../output.ts';
import { interruptible, timeoutSeconds } from './interruption.ts';
import { openTask } from './task-context.ts';

export async function cutover(options: TaskArguments): Promise<number> {
  const { task } = await openTask(options, false);
  const seconds = timeoutSeconds(options.timeout);
  return interruptible(async (signal) => {
    if (task.types.has('incremental'))
      note('what is written to the source from now on is not carried: stop writes first');
    const report = await cutOver({ task, timeoutSeconds: seconds, signal, onStep: note });
    if (options.json === true) writeJson(report);
    else writeLine(reportText(report));
    return ExitCode.ok;
  });
}

export function reportText({ task, done, fence, sequences, objects, missing, seconds }: CutoverReport): string {
  if (!done) return `task ${task} was cut over before; nothing is to be done`;
  const lines = [`task ${task} is cut over (${durationText(seconds)}): the destination is the live database now`];
  if (fence !== null) lines.push(`  everything that committed below ${fence} is there`);
  lines.push(`  ${sequences.length} sequences set, ${objects.length} held-back objects created`);
  for (const { outcome, kind, identity, name, reason } of missing) {
    lines.push(`  ${outcome}: ${kind} ${identity ?? name}: ${reason}`);
  }
  if (missing.length > 0) lines.push('  sluice status --objects shows them with their SQL');
  lines.push('  sluice release removes what is left at the source');
  return lines.join('\n');
}
