import { isSluiceError } from '../../../shared/errors.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { slotName, type Task } from '../../../shared/task/task.ts';
import { needsTruncateLog, TRUNCATE_LOG } from '../../../shared/task/truncate-log.ts';
import { readSelection } from '../schema/selected-tables.ts';
import { type Keeper, openKeeper } from '../snapshot/keeper.ts';
import type { ReplicationConnection } from '../stream/replication-connection.ts';
import { createSlot } from './slot-creation.ts';
import { SourceObjects } from './source-objects.ts';
import { atSource, type SourceSession } from './source-session.ts';
import type { Start } from './start-path.ts';
import { checkShapes } from './task-tables.ts';

export interface NewSlot {
  readonly task: Task;
  readonly source: SourceSession;
  readonly replication: ReplicationConnection;
  readonly start: Start;
  readonly signal: AbortSignal;
}

/**
 * Replica identities, then publication, then slot, each committed before the next; gives the keeper of the slot's
 * snapshot. A slot record without consistent point stands before the slot is made, one with it after: an attempt
 * that ends in between leaves a slot that the next one may drop.
 * An error that only an operator can help with takes everything back.
 * @throws SluiceError SOURCE_SLOT_WAIT, SOURCE_NO_SLOT_FREE, SOURCE_TABLE_RESHAPED, POSTGRES_*, ...
 */
export async function makeSlot(options: NewSlot): Promise<Keeper> {
  const { task, source, start, signal } = options;
  const objects = new SourceObjects(source.sql, task);
  try {
    return await makeInOrder(options, objects);
  } catch (error) {
    const takeBack = signal.aborted || (isSluiceError(error) && error.retry === 'stop');
    if (takeBack && start.writer.state.slot?.consistentPoint == null)
      await remove(objects, start, needsTruncateLog(source.version));
    throw error;
  }
}

async function makeInOrder(options: NewSlot, objects: SourceObjects): Promise<Keeper> {
  const { task, source, replication, start, signal } = options;
  const { writer, tables } = start;
  const slot = slotName(task.name);
  if (start.decision.kind === 'recreate-slot') await objects.dropSlot();
  await objects.setIdentities(start.identities);
  await publish(options, objects);
  failpoint('capture.after-publication');
  await writer.append({ kind: 'slot', slot, consistentPoint: null });
  const timeoutMilliseconds = task.source.slotTimeoutSeconds * 1000;
  const creation = {
    replication,
    sql: source.sql,
    slot,
    failover: task.source.failoverSlot,
    timeoutMilliseconds,
    signal,
  };
  const { consistentPoint, snapshot } = await atSource(task, () => createSlot(creation));
  const { endpoint } = task.source;
  const applicationName = `sluice ${task.name} keeper`;
  const keeper = await openKeeper({ endpoint, applicationName, slot: { snapshot, consistentPoint } });
  failpoint('capture.after-slot-created');
  try {
    checkShapes(tables, await keeper.read((client) => readSelection(client, task)));
    await writer.append({ kind: 'slot', slot, consistentPoint, lsn: consistentPoint });
  } catch (error) {
    await keeper.close();
    throw error;
  }
  failpoint('capture.after-slot-record');
  return keeper;
}

/** Where TRUNCATE is not decoded, its triggers stand before the publication, and so before the slot. */
async function publish({ task, source, start, signal }: NewSlot, objects: SourceObjects): Promise<void> {
  const tables = start.tables.map(({ selected }) => selected.shape);
  if (!needsTruncateLog(source.version)) return await objects.createPublication(tables);
  const limit = AbortSignal.timeout(task.source.slotTimeoutSeconds * 1000);
  await objects.createTruncateTriggers(tables, AbortSignal.any([signal, limit]));
  await objects.createPublication([...tables, TRUNCATE_LOG]);
}

const REMOVE_MILLISECONDS = 10_000;

async function remove(objects: SourceObjects, start: Start, truncatesLogged: boolean): Promise<void> {
  await objects.dropSlot();
  await objects.dropPublication();
  if (truncatesLogged) await objects.dropTruncateTriggers(AbortSignal.timeout(REMOVE_MILLISECONDS));
  await objects.restoreIdentities(start.identities);
}
