import { openCodec } from '../../shared/envelope/codec.ts';
import type { CompleteTransaction } from '../../shared/envelope/fold.ts';
import type { SluiceError } from '../../shared/errors.ts';
import type { Kafka } from '../../shared/kafka/interfaces.ts';
import { describeEnd } from '../../shared/postgres/connection.ts';
import { postgresFailure } from '../../shared/postgres/failure.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { Logger } from '../../shared/service/logger.ts';
import { slotName, type Task } from '../../shared/task/task.ts';
import { needsTruncateLog } from '../../shared/task/truncate-log.ts';
import type { ManifestWriter } from './publish/manifest-writer.ts';
import { TableLanes } from './publish/table-lanes.ts';
import { Resources } from './resources.ts';
import type { Keeper } from './snapshot/keeper.ts';
import { readSource } from './snapshot-part.ts';
import { makeSlot } from './start/new-slot.ts';
import { settleFailover } from './start/slot-creation.ts';
import { openSource, type SourceSession } from './start/source-session.ts';
import { type Start, type StartKafka, startPath } from './start/start-path.ts';
import type { TaskTable } from './start/task-tables.ts';
import { ChangeStream } from './stream/change-stream.ts';
import type { ReplicationConnection } from './stream/replication-connection.ts';
import { shapeRule } from './stream/shape-rule.ts';
import { together } from './together.ts';

export interface CaptureContext {
  readonly task: Task;
  readonly kafka: Kafka;
  readonly log: Logger;
  readonly takeOver: boolean;
  /** Kept over the attempts of this process. */
  readonly knownEpochs: Set<string>;
  /** Called when nothing was refused: from here on it is an attempt of a task that runs. */
  readonly onStarted: () => void;
}

/**
 * One attempt: source -> topics, until `signal` aborts, or until a task without a stream is read.
 * Nothing in here is tried twice; the next attempt takes the start path again.
 * @throws SluiceError what ended the attempt
 */
export async function captureOnce(given: CaptureContext, signal: AbortSignal): Promise<void> {
  const resources = new Resources();
  const manifest: { writer: ManifestWriter | null } = { writer: null };
  const onWriter = (writer: ManifestWriter) => {
    manifest.writer = writer;
  };
  try {
    const source = resources.add(await openSource(given.task, { takeOver: given.takeOver, signal }));
    const context = { ...given, task: atServer(given.task, source) };
    const { task } = context;
    const kafka = await openStartKafka(context, resources);
    const start = await startPath(task, source, { ...context, kafka, onWriter, signal });
    context.onStarted();
    const keeper = await newSlot(context, { source, start, signal });
    if (keeper) resources.add(keeper);
    const lanes = openLanes(context, start);
    await together(signal, [
      async (stop) => {
        await readSource({ ...context, start, keeper, signal: stop });
        // Rows need no schemas; an event that comes before has that of its table registered at once.
        if (source.replication) await lanes.registerAll(start.tables, stop);
      },
      (stop) => streamChanges(context, { source, start, lanes, resources, signal: stop }),
    ]);
  } catch (error) {
    // Kafka and the registry class their own errors.
    const failure = postgresFailure(error, describeEnd(given.task.source.endpoint, 'source'));
    if (manifest.writer) await recordStop(manifest.writer, failure);
    throw failure;
  } finally {
    await resources.close();
  }
}

/** The task with the server that this attempt found behind the source's addresses. */
function atServer(task: Task, { endpoint }: SourceSession): Task {
  return { ...task, source: { ...task.source, endpoint } };
}

async function openStartKafka({ task, kafka }: CaptureContext, resources: Resources): Promise<StartKafka> {
  return {
    admin: resources.add(await kafka.admin()),
    fetcher: resources.add(await kafka.fetcher()),
    producer: resources.add(await kafka.producer()),
    openCodec: (origin) =>
      openCodec(task.kafka.registry, { task: task.name, database: task.source.endpoint.database, ...origin }),
  };
}

interface Attempt {
  readonly source: SourceSession;
  readonly start: Start;
  readonly signal: AbortSignal;
}

/** The keeper of a new slot's snapshot; null when the slot is there already, or the task has none. */
async function newSlot({ task, log }: CaptureContext, { source, start, signal }: Attempt): Promise<Keeper | null> {
  const { replication, sql, version } = source;
  if (!replication) return null;
  if (start.decision.kind === 'resume') {
    const failover = task.source.failoverSlot;
    await settleFailover({ replication, sql, slot: slotName(task.name), failover }, version);
    return null;
  }
  const keeper = await makeSlot({ task, source, replication, start, signal });
  log.info({ task: task.name }, 'slot made');
  return keeper;
}

function openLanes({ task, log }: CaptureContext, { codec }: Start): TableLanes {
  const onAway = ({ code, message }: SluiceError) =>
    log.warn({ task: task.name, code }, `${message}; events of tables that are not registered yet wait for it`);
  return new TableLanes({ codec, maxMessageBytes: task.kafka.maxMessageBytes, onAway });
}

async function streamChanges(
  { task, kafka, log }: CaptureContext,
  { source, start, lanes, resources, signal }: Attempt & { lanes: TableLanes; resources: Resources },
): Promise<void> {
  const { replication } = source;
  if (!replication) return;
  const { writer, tables, catalog, streamOptions } = start;
  const typeNames = await readTypeNames(source, tables);
  const { from, position, again } = streamStart(start);
  const stream = new ChangeStream({
    batchEvents: task.tuning.batchEvents,
    connection: replication,
    start: { slot: writer.state.slot?.name ?? '', options: streamOptions, from },
    position,
    again,
    tables,
    shapeRule: shapeRule({ readsRows: task.types.has('full'), catalog, reads: writer.state.reads, typeNames }),
    producer: resources.add(await kafka.producer()),
    lanes,
    writer,
    truncatesLogged: needsTruncateLog(source.version),
    statusMilliseconds: await statusInterval(replication),
    heartbeatMilliseconds: source.version >= FIRST_WITH_MESSAGES ? HEARTBEAT : HEARTBEAT_WITHOUT_MESSAGES,
    signal,
  });
  log.info({ task: task.name, position, epoch: writer.epoch }, 'streaming');
  await stream.run();
}

/** Of the types that columns of reshaped tables may have had. */
async function readTypeNames({ sql }: SourceSession, tables: readonly TaskTable[]): Promise<Map<number, string>> {
  if (!tables.some(({ reshaped }) => reshaped)) return new Map();
  const text = 'SELECT oid, format_type(oid, NULL) AS name FROM pg_type';
  const { rows } = await sql.query<{ oid: string; name: string }>(text);
  return new Map(rows.map(({ oid, name }) => [Number(oid), name]));
}

/** A new slot starts at its consistent point, with the first position. */
function streamStart({ decision, writer: { state } }: Start): StreamBegin {
  if (decision.kind !== 'resume')
    return { from: state.slot?.consistentPoint as Lsn, position: state.position + 1n, again: null };
  const { from, position, again } = decision;
  return { from: again?.commitLsn ?? from, position, again };
}

interface StreamBegin {
  readonly from: Lsn;
  readonly position: bigint;
  readonly again: CompleteTransaction | null;
}

/** From 14 on a fence announces itself in the stream; before, heartbeats come often enough for it. */
const FIRST_WITH_MESSAGES = 140_000;
const HEARTBEAT = 10_000;
const HEARTBEAT_WITHOUT_MESSAGES = 1_000;
const LONGEST_STATUS_INTERVAL = 10_000;

async function statusInterval(replication: ReplicationConnection): Promise<number> {
  const [row] = await replication.query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'");
  const timeout = Number(row?.setting);
  return timeout > 0 ? Math.min(LONGEST_STATUS_INTERVAL, timeout / 3) : LONGEST_STATUS_INTERVAL;
}

/** For status; where the append fails too, the process's own report is all there is. */
async function recordStop(writer: ManifestWriter, { retry, code, message, remedy }: SluiceError): Promise<void> {
  const { stopped } = writer.state;
  // The task of this name may run well, on its own source.
  if (retry !== 'stop' || code === 'SOURCE_OTHER_SYSTEM' || (stopped?.code === code && stopped.message === message))
    return;
  await writer.append({ kind: 'stopped', code, message, remedy }).catch(() => undefined);
}
