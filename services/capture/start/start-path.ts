import { hostname } from 'node:os';
import { type EventCodec, REGISTRY_REQUESTS } from '../../../shared/envelope/codec.ts';
import type { ManifestState } from '../../../shared/envelope/fold.ts';
import type { SnapshotIdentity } from '../../../shared/envelope/manifest.ts';
import {
  checkSameSource,
  type SourceFacts,
  type StartDecision,
  startDecision,
} from '../../../shared/envelope/start-decision.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Fetcher, Producer, TopicAdmin } from '../../../shared/kafka/interfaces.ts';
import { manifestTopic, schemaTopic, snapshotTopic } from '../../../shared/kafka/topic-names.ts';
import { quoteIdentifier, tableKey } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { severalAtOnce } from '../../../shared/several-at-once.ts';
import { publicationName, slotName, type Task } from '../../../shared/task/task.ts';
import { needsTruncateLog, tablesWithoutTrigger } from '../../../shared/task/truncate-log.ts';
import { type ManifestWriter, manifestWriter } from '../publish/manifest-writer.ts';
import { readSelection } from '../schema/selected-tables.ts';
import { currentSnapshot } from '../snapshot/keeper.ts';
import { readManifest } from './manifest-history.ts';
import { checkPartitionEnds, checkTopicsThere } from './partition-ends.ts';
import { awaitFreeSlot } from './slot-in-use.ts';
import { checkSource } from './source-checks.ts';
import { identitiesToChange, type ReplicaIdentities, SourceObjects } from './source-objects.ts';
import { atSource, readSourceFacts, type SourceSession } from './source-session.ts';
import { checkDefinition, definitionHash, epochTable, type TaskTable, taskTables } from './task-tables.ts';

/** Of `<task>.snapshot`; the same for every task, since it may never change. */
export const SNAPSHOT_PARTITIONS = 4;

export interface StartKafka {
  readonly admin: TopicAdmin;
  readonly fetcher: Fetcher;
  /** For the manifest. */
  readonly producer: Producer;
  openCodec(origin: { incarnation: string; epoch: string; timeline: number }): EventCodec;
}

export interface Start {
  readonly decision: StartDecision;
  readonly writer: ManifestWriter;
  readonly tables: readonly TaskTable[];
  /** What had committed for sure when the tables' shapes were read. */
  readonly catalog: SnapshotIdentity;
  readonly codec: EventCodec;
  /** Replica identities that this task changed or is to change. */
  readonly identities: ReplicaIdentities;
  /** pgoutput's. */
  readonly streamOptions: Readonly<Record<string, string>>;
}

export interface StartOptions {
  readonly kafka: StartKafka;
  /** Of this process's attempts so far, and what they found: an epoch beside them is of somebody who took over. */
  readonly knownEpochs: Set<string>;
  /** Ends a session of somebody else that reads from the slot. */
  readonly takeOver: boolean;
  /** Called with a writer of the newest epoch, so that a start that is refused can say so, and then with the own one. */
  readonly onWriter: (writer: ManifestWriter) => void;
  readonly signal: AbortSignal;
}

/**
 * The way into every attempt, also after every error: look at everything, refuse what cannot be, and only then
 * append the epoch record. The manifest is read before it and the record must stand right at the end of what was
 * read, so nobody appended in between; confirmed_flush_lsn is read before the append, so a slot that is found
 * ahead of the manifest was really moved by somebody else.
 * @throws SluiceError
 */
export async function startPath(
  task: Task,
  source: SourceSession,
  { kafka, knownEpochs, takeOver, onWriter, signal }: StartOptions,
): Promise<Start> {
  const catalog = await atSource(task, () => currentSnapshot(source.sql));
  const selected = await atSource(task, () => readSelection(source.sql, task));
  const state = await knownManifest(task, kafka, signal);
  checkNotTakenOver(state, knownEpochs);
  const sizes = { checkpointBytes: task.tuning.checkpointBytes, maxMessageBytes: task.kafka.maxMessageBytes };
  const manifest = { topic: manifestTopic(task.name), producer: kafka.producer, state, ...sizes };
  if (state.epoch) onWriter(manifestWriter({ ...manifest, epoch: state.epoch.epoch }));
  const before = state.nextOffset;
  await atSource(task, () => awaitFreeSlot(source.sql, { slot: slotName(task.name), takeOver, signal }));
  const facts = await atSource(task, () => readSourceFacts(source, task));
  checkHistory(task, state, facts);
  const changes = identitiesToChange(task, selected);
  const full = new Set(changes.map((table) => tableKey(table)));
  const tables = taskTables(task, state, { selected, full });
  if (task.types.has('incremental')) await checkStart(source, { task, state, facts, tables, before });
  if (!isResumed(state)) await atSource(task, () => checkSource(source.sql, task, selected));

  const writer = manifestWriter(manifest);
  const { incarnation, epoch } = writer;
  knownEpochs.add(epoch);
  const codec = kafka.openCodec({ incarnation, epoch, timeline: facts.timeline });
  // Events need schemas and topics: a task without a stream has neither.
  const streamed = task.types.has('incremental') ? tables : [];
  await Promise.all([registerSome(codec, state, streamed), readyTopics(task, state, { kafka, streamed })]);
  await checkPartitionEnds(state, { admin: kafka.admin, fetcher: kafka.fetcher, codec, signal });

  const identities = union(state.epoch?.replicaIdentities ?? [], changes);
  const streamOptions = pgoutputOptions(task, source.version);
  await writer.append({
    kind: 'epoch',
    task: task.name,
    definition: { hash: definitionHash(task), types: [...task.types] },
    source: {
      systemIdentifier: facts.systemIdentifier,
      timeline: facts.timeline,
      database: source.endpoint.database,
      serverVersion: source.version,
    },
    slot: slotName(task.name),
    publication: publicationName(task.name),
    options: streamOptions,
    tables: tables.map(epochTable),
    replicaIdentities: identities,
    startedAt: new Date().toISOString(),
    host: hostname(),
    pid: process.pid,
  });
  onWriter(writer);
  failpoint('capture.after-epoch');
  const decision = startDecision(state, facts, before);
  return { decision, writer, tables, catalog, codec, identities, streamOptions };
}

interface TopicsWanted {
  readonly kafka: StartKafka;
  readonly streamed: readonly TaskTable[];
}

async function readyTopics(task: Task, state: ManifestState, { kafka, streamed }: TopicsWanted): Promise<void> {
  await checkTopicsThere(state, kafka.admin);
  await kafka.admin.ensureTopics(topicsOf(task, streamed).map((spec) => ({ ...spec, orMore: state.epoch !== null })));
}

/**
 * The first, which shows that the registry takes schemas of ours, and those of tables with events, by which their last
 * one will be read. The others follow when rows are read, or when their first event comes.
 */
async function registerSome(codec: EventCodec, { ends }: ManifestState, tables: readonly TaskTable[]): Promise<void> {
  const listed = new Set([...ends.values()].map(({ topic }) => topic));
  const some = tables.filter((table, index) => index === 0 || listed.has(table.topic));
  await severalAtOnce(some, REGISTRY_REQUESTS, ({ shape, topic }) => codec.encoder(shape, topic));
}

async function knownManifest(task: Task, kafka: StartKafka, signal: AbortSignal): Promise<ManifestState> {
  const topic = manifestTopic(task.name);
  const exists = (await kafka.admin.existing([topic])).has(topic);
  // A topic that does not exist is read as one that holds nothing.
  return readManifest(exists ? kafka.fetcher : nothing, topic, signal);
}

const nothing: Pick<Fetcher, 'watermarks' | 'tail'> = {
  watermarks: async () => ({ low: 0n, high: 0n }),
  tail: async () => [],
};

/** Without it a capture that was taken over would come back in whatever moment the other one starts anew. */
function checkNotTakenOver(state: ManifestState, knownEpochs: Set<string>): void {
  if (!state.epoch) return;
  const { epoch, host, pid } = state.epoch;
  if (knownEpochs.size === 0) knownEpochs.add(epoch);
  if (knownEpochs.has(epoch)) return;
  throw new SluiceError('SOURCE_TASK_RUNNING', `another capture took over: process ${pid} on ${host}`);
}

function checkHistory(task: Task, state: ManifestState, facts: SourceFacts): void {
  if (state.epoch) checkSameSource(state.epoch.source, state.lsn, facts);
  checkDefinition(task, state);
}

function isResumed(state: ManifestState): boolean {
  return state.slot?.consistentPoint != null;
}

interface StartQuestion {
  readonly task: Task;
  readonly state: ManifestState;
  readonly facts: SourceFacts;
  readonly tables: readonly TaskTable[];
  readonly before: bigint;
}

/** The decision as it will be, so that a start that must be refused appends nothing. */
async function checkStart(source: SourceSession, { task, state, facts, tables, before }: StartQuestion): Promise<void> {
  if (startDecision(state, facts, before).kind !== 'resume') return;
  const published = await atSource(task, () => new SourceObjects(source.sql, task).publishedTables());
  const listed = tables.every(({ shape }) => published.has(shape.oid)) && published.size === tables.length;
  if (listed) return await checkTruncateTriggers(source, task, tables);
  const detail = `publication ${publicationName(task.name)} lists ${published.size} tables, the task publishes ${tables.length}`;
  throw new SluiceError(
    'SOURCE_PUBLICATION_CHANGED',
    facts.publicationExists ? detail : 'the publication of the task is gone',
  );
}

async function checkTruncateTriggers({ sql, version }: SourceSession, task: Task, tables: readonly TaskTable[]) {
  if (!needsTruncateLog(version)) return;
  const oids = tables.map(({ shape }) => shape.oid);
  const [table] = await atSource(task, () => tablesWithoutTrigger(sql, task.name, oids));
  if (!table) return;
  const name = `${table.schema}.${table.name}`;
  const detail = `the trigger that logs TRUNCATE of ${name} is gone or disabled: the server does not decode TRUNCATE`;
  throw new SluiceError('SOURCE_PUBLICATION_CHANGED', detail, { context: { schema: table.schema, table: table.name } });
}

function topicsOf(task: Task, tables: readonly TaskTable[]) {
  return [
    { topic: manifestTopic(task.name), partitions: 1 },
    { topic: schemaTopic(task.name), partitions: 1 },
    { topic: snapshotTopic(task.name), partitions: SNAPSHOT_PARTITIONS },
    ...tables.map(({ topic, partitions }) => ({ topic, partitions })),
  ];
}

/** Of several attempts: the identity that a table had before the first. */
function union(earlier: ReplicaIdentities, now: ReplicaIdentities): ReplicaIdentities {
  const known = new Set(earlier.map((table) => tableKey(table)));
  return [...earlier, ...now.filter((table) => !known.has(tableKey(table)))];
}

/** Logical messages carry fences; before 14 pgoutput has none. */
function pgoutputOptions(task: Task, version: number): Record<string, string> {
  const publication = quoteIdentifier(publicationName(task.name));
  const options = { proto_version: '1', publication_names: publication };
  return version >= 140_000 ? { ...options, messages: 'true' } : options;
}
