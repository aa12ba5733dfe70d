import type pg from 'pg';
import { schemaSections } from '../../../shared/envelope/schema-object.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { connect } from '../../../shared/postgres/connection.ts';
import { createSection } from '../../../shared/schema-objects/create-section.ts';
import {
  describeObject,
  isOpen,
  readObjects,
  type StoredObject,
} from '../../../shared/schema-objects/stored-objects.ts';
import type { Task } from '../../../shared/task/task.ts';
import { type ObjectOutcome, outcomeOf } from '../schema/object-report.ts';

export interface HeldBack {
  /** What was made now. */
  readonly created: readonly ObjectOutcome[];
  /** What is still not there, and why. */
  readonly missing: readonly ObjectOutcome[];
}

/**
 * Creates what is not there yet: foreign keys where they had to wait, the objects of section `cutover`, and once more
 * what the destination refused before. Each commits together with its own state, so an interrupted cutover goes on.
 * @throws SluiceError DESTINATION_OBJECT_FAILED naming the constraints that the destination's rows break.
 */
export async function createHeldBack(destination: pg.Client, task: Task, signal: AbortSignal): Promise<HeldBack> {
  const owner = { task: task.name, sink: task.sink.name };
  const open = () => connect(task.destination, { applicationName: 'sluice cutover', end: 'destination' });
  const before = await readObjects(destination, owner);
  for (const section of schemaSections) {
    const inOrder = section === 'pre-data' || section === 'cutover';
    await createSection({ owner, section, parallelism: inOrder ? 1 : task.loadParallelism, open, signal });
  }
  signal.throwIfAborted();
  const after = await readObjects(destination, owner);
  refuseBroken(after);
  const wasOpen = new Set(before.filter(isOpen).map(({ number }) => number));
  return {
    created: after.filter(({ number, state }) => state === 'created' && wasOpen.has(number)).map(outcomeOf),
    missing: after.filter(isOpen).map(outcomeOf),
  };
}

/** Class 23: rows that the source's constraints forbid. Whatever made them, the two ends are not the same. */
function refuseBroken(objects: readonly StoredObject[]): void {
  const broken = objects.filter(({ state, sqlstate }) => state === 'failed' && sqlstate?.startsWith('23'));
  if (broken.length === 0) return;
  const list = broken.map((object) => `\n  ${describeObject(object)}: ${object.reason}`).join('');
  throw new SluiceError(
    'DESTINATION_OBJECT_FAILED',
    `rows of the destination break ${broken.length} constraints:${list}`,
    {
      remedy: 'Compare the tables with sluice fence --compare; after the rows are mended, run sluice cutover again.',
    },
  );
}
