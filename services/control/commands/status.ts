import { ExitCode, SluiceError } from '../../../shared/errors.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { Observer } from '../observe/observer.ts';
import { statusText } from '../observe/status-text.ts';
import { writeJson, writeLine } from '../output.ts';
import { objectReport, reportText } from '../schema/object-report.ts';
import { readStoredObjects } from '../schema/stored-objects.ts';
import { openTask } from './task-context.ts';

/** Exit code 0 also when the task stands still; what could not be looked at is named. */
export async function status(options: TaskArguments): Promise<number> {
  const { task } = await openTask(options, false);
  const observer = new Observer(task);
  try {
    const seen = await observer.status(new AbortController().signal);
    const known = seen.epoch !== null || seen.phase !== 'not started' || seen.slot !== null;
    if (!known && seen.unavailable.length === 0) {
      throw new SluiceError('TASK_NOT_FOUND', `no task named ${task.name} is known to Kafka, source or destination`);
    }
    const objects = options.objects === true ? objectReport(await readStoredObjects(task)) : null;
    if (options.json === true) writeJson(objects ? { ...seen, objects } : seen);
    else writeLine(objects ? `${statusText(seen)}\n\n${reportText(objects)}` : statusText(seen));
    return seen.unavailable.length === 0 ? ExitCode.ok : ExitCode.unavailable;
  } finally {
    await observer.close();
  }
}
