import { ExitCode, SluiceError } from '../../../shared/errors.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import { connect } from '../../../shared/postgres/connection.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import type { Task } from '../../../shared/task/task.ts';
import { readDestinationState } from '../bookkeeping/destination-state.ts';
import { HeldServices, type MigrationEnd, readUntil, runMigration } from '../migration/run-migration.ts';
import { ManifestView } from '../observe/manifest-view.ts';
import { bytesText, countText, durationText } from '../observe/units.ts';
import { note, writeJson, writeLine } from '../output.ts';
import { type PrecheckOptions, refuseOnErrors, runPrechecks } from '../prechecks/run-prechecks.ts';
import { openDisplay } from '../progress/display.ts';
import { interruptible } from './interruption.ts';
import { openTask } from './task-context.ts';

/** Exit code 0 when done or, without --until, when interrupted; 130 when interrupted before it was caught up. */
export async function migrate(options: TaskArguments): Promise<number> {
  const untilCaughtUp = readUntil(options.until);
  const { task, childArguments } = await openTask(options, true);
  const json = options.json === true;
  return interruptible(async (signal) => {
    const takeOver = options.takeOver === true;
    using held = new HeldServices({ childArguments, takeOver });
    if (options.skipPrecheck !== true && (await isNew(task, signal)))
      await look({ task, capture: held.capture }, signal);
    await refuseWhenCutOver(task);
    if (!json) note(`task ${task.name}: ${describe(task)}`);
    const patient = options.skipPrecheck !== true;
    const display = openDisplay(json);
    const end = await runMigration({ task, childArguments, takeOver, patient, held, untilCaughtUp, display, signal });
    if (json) writeJson({ event: 'end', task: task.name, how: end.how, peak: end.progress?.peak ?? null });
    else writeLine(endText(task, end));
    return end.how === 'interrupted' && untilCaughtUp ? ExitCode.interrupted : ExitCode.ok;
  });
}

/** Nothing counts in its manifest yet. Where Kafka cannot be asked, the prechecks say why. */
export async function isNew(task: Task, signal: AbortSignal): Promise<boolean> {
  try {
    const view = await ManifestView.open(openKafka(task.kafka, `sluice-control-${task.name}`), task.name);
    if (!view) return true;
    try {
      await view.refresh(signal);
      return view.state.epoch === null;
    } finally {
      await view.close();
    }
  } catch {
    return true;
  }
}

export async function refuseWhenCutOver(task: Task): Promise<void> {
  const destination = await connect(task.destination, { applicationName: 'sluice migrate', end: 'destination' });
  try {
    const { sink } = await readDestinationState(destination, task);
    if (sink?.phase === 'cut over') throw new SluiceError('DESTINATION_CUT_OVER', `task ${task.name} is cut over`);
  } finally {
    await destination.end();
  }
}

export async function look(options: PrecheckOptions, signal: AbortSignal): Promise<void> {
  const report = await runPrechecks(options);
  const refused = report.findings.some(({ severity }) => severity === 'error');
  // Somebody has started the task meanwhile, and what was found may be their work: their lock at the source speaks then.
  if (refused && !(await isNew(options.task, signal))) return;
  refuseOnErrors(report);
  for (const { message, remedy } of report.findings) note(`warning: ${message}\n  remedy: ${remedy}`);
}

export function describe({ source, destination }: Task): string {
  const from = `${source.endpoint.host}:${source.endpoint.port}/${source.endpoint.database}`;
  return `${from} -> ${destination.host}:${destination.port}/${destination.database}`;
}

function endText(task: Task, { how, progress }: MigrationEnd): string {
  if (!progress) return `task ${task.name}: ${how}`;
  const { rows, changes, seconds, peak } = progress;
  const counts = `${countText(rows.loaded)} rows loaded, ${countText(changes.applied)} changes applied`;
  const lag = `peak lag ${bytesText(peak.lagBytes)}, ${durationText(peak.lagSeconds)}`;
  return `task ${task.name}: ${how} after ${durationText(seconds)}; ${counts}, ${lag}`;
}
