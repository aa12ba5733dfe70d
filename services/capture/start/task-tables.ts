import { createHash } from 'node:crypto';
import type { TableShape } from '../../../shared/envelope/change-event.ts';
import type { ManifestState } from '../../../shared/envelope/fold.ts';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { tableTopic } from '../../../shared/kafka/topic-names.ts';
import { quoteTable, tableKey } from '../../../shared/postgres/identifiers.ts';
import type { SelectedTable } from '../../../shared/task/selected-tables.ts';
import type { Task } from '../../../shared/task/task.ts';
import type { StreamedTable } from '../stream/streamed-table.ts';

type EpochTable = RecordOf<'epoch'>['tables'][number];

/** A table that the task carries, with the topic of its events. */
export interface TaskTable extends StreamedTable {
  readonly selected: SelectedTable;
  /** Types of its columns changed since the schema was published, before it was read. */
  readonly reshaped: boolean;
}

/** Something was published that depends on selection and shapes: both stay as they are from then on. */
export function isSettled(state: ManifestState): boolean {
  return state.slot?.consistentPoint != null || state.schema !== null || state.reads.size > 0;
}

/**
 * The tables of this attempt: what the task selects, or, once settled, what earlier epochs published, without those
 * that were dropped while they were read. A table that is not read yet may have columns of other types than before: it
 * is read as it is now, and its events from before are passed over.
 * `full`: those that get REPLICA IDENTITY FULL have it in their shapes already.
 * @throws SluiceError SOURCE_TABLE_CHANGED when a table of an earlier epoch is gone or has another shape
 */
export function taskTables(
  task: Task,
  state: ManifestState,
  { selected, full }: { selected: readonly SelectedTable[]; full: ReadonlySet<string> },
): TaskTable[] {
  const now = selected.map((table) => (full.has(tableKey(table.shape)) ? withFullIdentity(table) : table));
  if (!isSettled(state)) return now.map((table) => newTable(task, table));
  const byOid = new Map(now.map((table) => [table.shape.oid, table]));
  const carried = (state.epoch?.tables ?? []).filter((known) => readState(state, known) !== 'dropped');
  return carried.map((known) => {
    const isRead = readState(state, known) === 'read';
    return knownTable(known, byOid.get(known.oid), { mayReshape: task.types.has('full') && !isRead });
  });
}

function readState(state: ManifestState, table: EpochTable): string | undefined {
  return state.reads.get(tableKey(table))?.state;
}

/** @throws SluiceError SOURCE_TABLE_RESHAPED when a shape is another than the one given */
export function checkShapes(tables: readonly TaskTable[], selected: readonly SelectedTable[]): void {
  const byOid = new Map(selected.map((table) => [table.shape.oid, table]));
  for (const { shape } of tables) {
    const now = byOid.get(shape.oid)?.shape;
    if (now && tableKey(now) === tableKey(shape) && shapeDigest(now) === shapeDigest(shape)) continue;
    throw reshaped(shape, 'it changed while the slot was made');
  }
}

/** The attempt is over; the next one finds the table as it is by then. */
export function reshaped(shape: TableShape, detail: string): SluiceError {
  const context = { schema: shape.schema, table: shape.name };
  return new SluiceError('SOURCE_TABLE_RESHAPED', `table ${quoteTable(shape)}: ${detail}`, { context });
}

export function epochTable({ shape, topic, partitions, reshaped }: TaskTable): EpochTable {
  const { schema, name, oid } = shape;
  const digests = { shape: shapeDigest(shape), names: namesDigest(shape) };
  return { schema, name, oid, topic, partitions, ...digests, ...(reshaped ? { reshaped } : {}) };
}

function newTable(task: Task, selected: SelectedTable): TaskTable {
  const { shape } = selected;
  const { partitions } = task.kafka;
  return { shape, selected, topic: tableTopic(task.name, shape), partitions, reshaped: false };
}

function knownTable(
  { schema, name, topic, partitions, shape: digest, names, reshaped = false }: EpochTable,
  selected: SelectedTable | undefined,
  { mayReshape }: { readonly mayReshape: boolean },
): TaskTable {
  const context = { schema, table: name };
  if (!selected) throw new SluiceError('SOURCE_TABLE_CHANGED', `table ${schema}.${name} is gone`, { context });
  const { shape } = selected;
  if (shape.schema !== schema || shape.name !== name) {
    throw new SluiceError('SOURCE_TABLE_CHANGED', `table ${schema}.${name} is ${shape.schema}.${shape.name} now`, {
      context,
    });
  }
  const isOther = shapeDigest(shape) !== digest;
  if (isOther && !(mayReshape && namesDigest(shape) === names)) {
    const detail = `table ${schema}.${name} has other columns, types, key or replica identity than when it was first read`;
    throw new SluiceError('SOURCE_TABLE_CHANGED', detail, { context });
  }
  return { shape, selected, topic, partitions, reshaped: reshaped || isOther };
}

function withFullIdentity(table: SelectedTable): SelectedTable {
  return { ...table, identityUsable: true, shape: { ...table.shape, identity: 'full' } };
}

function shapeDigest({ identity, columns }: TableShape): string {
  return digestOf([identity, columns.map(({ name, typeOid, typmod, key }) => [name, typeOid, typmod, key])]);
}

function namesDigest({ identity, columns }: TableShape): string {
  return digestOf([identity, columns.map(({ name, key }) => [name, key])]);
}

function digestOf(described: unknown): string {
  return createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, 16);
}

/** What may not change once something is published: it decides which events there are, and where they go. */
export function definitionHash(task: Task): string {
  const settled = { types: [...task.types].sort(), selection: task.selection, partitions: task.kafka.partitions };
  return createHash('sha256').update(JSON.stringify(settled)).digest('hex');
}

/** @throws SluiceError TASK_DEFINITION_CHANGED */
export function checkDefinition(task: Task, state: ManifestState): void {
  if (!isSettled(state) || state.epoch?.definition.hash === definitionHash(task)) return;
  throw new SluiceError('TASK_DEFINITION_CHANGED', `task ${task.name} was started with another definition`);
}
