import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { RecordOf } from '../../shared/envelope/manifest.ts';
import type { SchemaSection } from '../../shared/envelope/schema-object.ts';
import type { Kafka } from '../../shared/kafka/interfaces.ts';
import { quoteTable, type TableName, tableKey } from '../../shared/postgres/identifiers.ts';
import { restoreActions } from '../../shared/postgres/suspended-actions.ts';
import { createSection } from '../../shared/schema-objects/create-section.ts';
import { describeObject, hasObjects } from '../../shared/schema-objects/stored-objects.ts';
import { failpoint } from '../../shared/service/failpoint.ts';
import type { Logger } from '../../shared/service/logger.ts';
import type { Task } from '../../shared/task/task.ts';
import { type Destination, destinationFailure, openSession } from './bookkeeping/session.ts';
import { type Phase, writePhase } from './bookkeeping/sink-status.ts';
import { readTableLoads } from './bookkeeping/table-loads.ts';
import { type ManifestHistory, ManifestLog } from './consume/manifest-log.ts';
import { loadTables } from './load/load-tables.ts';
import { checkExistingTables } from './schema/existing-tables.ts';
import { refuseMissingTables } from './schema/missing-tables.ts';
import { objectsOfTables } from './schema/objects-of-tables.ts';
import { requireTables } from './schema/required-tables.ts';
import { readSchemaObjects } from './schema/schema-objects.ts';
import { storeNewObjects } from './schema/store-objects.ts';

/** What the stages of one attempt share. */
export interface StageContext {
  readonly task: Task;
  readonly kafka: Kafka;
  readonly manifestTopic: string;
  readonly destination: Destination;
  readonly control: pg.Client;
  readonly replicaRole: boolean;
  readonly takes: (table: TableName) => boolean;
  readonly history: ManifestHistory;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Before any row: the objects of section pre-data, or that what is not migrated is there already. */
export async function schemaStage(context: StageContext): Promise<void> {
  const { task, control, destination, history, takes, signal } = context;
  if (!task.types.has('schema')) {
    await requireTables(control, (history.state.epoch?.tables ?? []).filter(takes));
    return;
  }
  await announce(context, 'schema migration', 'waiting for the schema');
  if (!(await hasObjects(control, destination.identity))) {
    const record = await schemaRecord(context);
    if (!record) return;
    const all = await withFetcher(context.kafka, (fetcher) => readSchemaObjects(fetcher, record, context.signal));
    const objects = task.sink.tables === null ? all : objectsOfTables(all, takes);
    await storeNewObjects(control, destination.identity, { objects, existing: task.existing });
  }
  await announce(context, 'schema migration', 'creating tables');
  await create(context, 'pre-data', 1);
  if (signal.aborted || !task.types.has('full')) return;
  await refuseMissingTables(control, destination.identity);
  await checkExistingTables(control, destination.identity);
}

/** The first reads of all tables. Returns whether there was something to load. */
export async function loadStage(context: StageContext): Promise<boolean> {
  const { kafka, control, destination, history, takes, task } = context;
  const loads = await readTableLoads(control, destination.identity);
  const tables = (history.state.epoch?.tables ?? []).filter(takes);
  const isDone = ({ schema, name }: TableName) => loads.get(tableKey({ schema, name }))?.state === 'loaded';
  const known = [...loads.values()].every(({ state }) => state === 'loaded');
  if (tables.length > 0 && known && tables.every(isDone)) return false;
  await announce(context, 'full data migration', 'loading tables');
  const kept = await keptTables(context);
  await withFetcher(kafka, async (fetcher) => {
    await loadTables({
      ...context,
      manifest: new ManifestLog({ fetcher, topic: context.manifestTopic }),
      parallelism: task.loadParallelism,
      isKept: (table) => kept === 'all' || kept.has(tableKey(table)),
      ownsTables: task.types.has('schema') && task.existing === 'precheck',
      isVoid: (table, generation) => (history.state.reads.get(tableKey(table))?.generation ?? generation) > generation,
    });
  });
  return true;
}

/** Tables that were there before the task and keep their rows, by tableKey. */
async function keptTables({ task, control, destination }: StageContext): Promise<ReadonlySet<string> | 'all'> {
  if (task.existing === 'precheck') return new Set();
  if (!task.types.has('schema')) return 'all';
  const { rows } = await control.query<TableName>(
    `SELECT schema_name AS schema, object_name AS name FROM sluice.object
     WHERE task = $1 AND sink = $2 AND kind = 'table' AND state = 'existed'`,
    [destination.identity.task, destination.identity.sink],
  );
  return new Set(rows.map(tableKey));
}

/** After the rows: constraints, indexes, statistics. */
export async function afterLoadStage(context: StageContext, loaded: boolean): Promise<void> {
  const { task, signal } = context;
  const phase: Phase = task.types.has('full') ? 'full data migration' : 'schema migration';
  if (task.types.has('schema')) {
    await announce(context, phase, 'creating indexes and constraints');
    await create(context, 'post-data', task.loadParallelism);
  }
  if (!loaded || signal.aborted) return;
  await announce(context, phase, 'gathering statistics');
  await analyze(context);
}

/** Foreign keys, and where no stream follows what else cutover would do of the schema. */
export async function finalStage(context: StageContext): Promise<void> {
  const { task, signal } = context;
  const phase: Phase = task.types.has('full') ? 'full data migration' : 'schema migration';
  if (task.types.has('schema')) {
    await announce(context, phase, 'creating foreign keys');
    await create(context, 'foreign-keys', task.loadParallelism);
    await create(context, 'cutover', 1);
  }
  if (signal.aborted) return;
  await restoreActions(context.control, context.destination.identity);
  await announce(context, phase, 'complete');
}

/** What the destination refuses of a section is reported, and tried again by the next attempt and at cutover. */
export async function create(context: StageContext, section: SchemaSection, parallelism: number): Promise<void> {
  const { destination, signal, log } = context;
  if (signal.aborted) return;
  const { created, missing } = await createSection({
    owner: destination.identity,
    section,
    parallelism,
    open: () => openSession(destination, section),
    signal,
    onObject: () => failpoint(`sink.in-${section}`),
  });
  if (created > 0) log.info({ section, count: created }, 'schema objects created');
  for (const object of missing) {
    const { kind, schema, name, state, reason, sqlstate } = object;
    log.warn({ section, kind, schema, name, sqlstate }, `${describeObject(object)} ${state}: ${reason}`);
  }
}

export async function announce({ control, destination }: StageContext, phase: Phase, detail: string): Promise<void> {
  await writePhase(control, destination.identity, { phase, detail });
}

const LOOK_MS = 300;

/** The first schema record that counts, as soon as there is one. */
async function schemaRecord(context: StageContext): Promise<RecordOf<'schema'> | null> {
  const { kafka, manifestTopic, history, signal } = context;
  if (history.state.schema) return history.state.schema;
  return await withFetcher(kafka, async (fetcher) => {
    const manifest = new ManifestLog({ fetcher, topic: manifestTopic });
    while (!signal.aborted && !manifest.state.schema) {
      const items = await manifest.next(signal);
      if (items.length === 0) await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
    return manifest.state.schema;
  });
}

async function withFetcher<T>(kafka: Kafka, work: (fetcher: Awaited<ReturnType<Kafka['fetcher']>>) => Promise<T>) {
  const fetcher = await kafka.fetcher();
  try {
    return await work(fetcher);
  } finally {
    await fetcher.close().catch(() => undefined);
  }
}

async function analyze({ destination, control, task, signal }: StageContext): Promise<void> {
  const queue = [...(await readTableLoads(control, destination.identity)).values()];
  const work = async () => {
    const client = await openSession(destination, 'analyze');
    try {
      for (let table = queue.shift(); table && !signal.aborted; table = queue.shift()) {
        await client.query(`ANALYZE ${quoteTable(table)}`);
      }
    } catch (error) {
      throw destinationFailure(error, destination);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: Math.min(task.loadParallelism, queue.length) }, work));
}
