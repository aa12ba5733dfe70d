import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { ExitCode, SluiceError } from '../../../shared/errors.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { HeldServices, runMigration } from '../migration/run-migration.ts';
import { note, writeJson, writeLine } from '../output.ts';
import { HeldService } from '../processes/service-process.ts';
import { openDisplay } from '../progress/display.ts';
import { describeSource } from '../schema/describe-source.ts';
import { hasFailed, objectReport, reportText } from '../schema/object-report.ts';
import { schemaText } from '../schema/schema-text.ts';
import { readStoredObjects } from '../schema/stored-objects.ts';
import { interruptible } from './interruption.ts';
import { describe, isNew, look } from './migrate.ts';
import { openTask, sourceArguments } from './task-context.ts';

/**
 * Migrates the schema only, as a task of its own that ends when everything was tried; the report is what stdout gets.
 * Exit code 65 when something is not at the destination that should be.
 */
export async function schema(options: TaskArguments): Promise<number> {
  const types = [options.types ?? []].flat();
  if (types.some((type) => type !== 'schema')) {
    throw new SluiceError('CONFIG_INVALID', '--types: sluice schema migrates the schema only; see sluice migrate');
  }
  const given = { ...options, types: undefined, schemaOnly: true };
  const json = options.json === true;
  if (options.dryRun === true) {
    using capture = new HeldService('capture', await sourceArguments(given));
    return writeSchema(await describeSource(capture), json);
  }
  const { task, childArguments } = await openTask(given, true);
  return interruptible(async (signal) => {
    using held = new HeldServices({ childArguments, takeOver: false });
    if (options.skipPrecheck !== true && (await isNew(task, signal)))
      await look({ task, capture: held.capture }, signal);
    note(`task ${task.name}: schema, ${describe(task)}`);
    const display = openDisplay(false);
    const patient = options.skipPrecheck !== true;
    const run = { task, childArguments, takeOver: false, patient, held, untilCaughtUp: false, display, signal };
    if ((await runMigration(run)).how === 'interrupted') return ExitCode.interrupted;
    const objects = await readStoredObjects(task);
    const report = objectReport(objects);
    if (json) writeJson({ task: task.name, sink: task.sink.name, ...report });
    else writeLine(reportText(report));
    note(`sluice release --name ${task.name} ... --topics --bookkeeping removes what the task leaves behind`);
    return hasFailed(objects) ? ExitCode.data : ExitCode.ok;
  });
}

function writeSchema(objects: readonly SchemaObject[], json: boolean): number {
  if (json) writeJson({ objects });
  else process.stdout.write(schemaText(objects));
  return ExitCode.ok;
}
