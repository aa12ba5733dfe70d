import { type ManifestWriter, manifestWriter } from '../../services/capture/publish/manifest-writer.ts';
import type { Keeper } from '../../services/capture/snapshot/keeper.ts';
import { openKeeper } from '../../services/capture/snapshot/keeper.ts';
import { runSnapshot } from '../../services/capture/snapshot/snapshot.ts';
import { emptyManifest, fold } from '../../shared/envelope/fold.ts';
import { decodeManifestRecord, type ManifestRecord } from '../../shared/envelope/manifest.ts';
import { CHUNK_HEADER, type ChunkHeader, decodeChunkHeader } from '../../shared/envelope/snapshot-chunk.ts';
import type { Kafka } from '../../shared/kafka/interfaces.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { manifestTopic, schemaTopic, snapshotTopic } from '../../shared/kafka/topic-names.ts';
import { connect } from '../../shared/postgres/connection.ts';
import { quoteTable } from '../../shared/postgres/identifiers.ts';
import { resolveTask } from '../../shared/task/resolve.ts';
import { readTableSelection, type SelectedTable } from '../../shared/task/selected-tables.ts';
import type { Task } from '../../shared/task/task.ts';
import type { TestContext } from '../support/context.ts';

/** Capture's reading side alone: a task with its topics and a manifest, without slot and stream. */
export interface ReadingTask {
  readonly task: Task;
  readonly kafka: Kafka;
  readonly partitions: number;
  /** A new attempt: the manifest as it is, and an epoch record of its own. */
  attempt(): Promise<ManifestWriter>;
  tables(): Promise<readonly SelectedTable[]>;
  keeper(): Promise<Keeper>;
  /** Reads everything that is not read yet. */
  read(options: {
    manifest: ManifestWriter;
    keeper?: Keeper | null;
    signal?: AbortSignal;
    bytesInFlight?: number;
  }): Promise<void>;
  manifest(): Promise<ManifestRecord[]>;
  /** The chunks that a counted record of the manifest lists, of the last generation of each table. */
  chunks(): Promise<ReadChunk[]>;
}

export interface ReadChunk extends ChunkHeader {
  readonly rowsText: Buffer;
}

const PARTITIONS = 3;

export async function readingTask(
  ctx: TestContext,
  definition: Readonly<Record<string, unknown>> = {},
): Promise<ReadingTask> {
  const defaults = {
    name: ctx.task,
    source: { url: ctx.source.url },
    destination: { url: ctx.destination.url },
    kafka: { brokers: ctx.brokers, registry: { url: ctx.registry } },
  };
  const task = await resolveTask({ ...defaults, ...definition }, process.env);
  const kafka = openKafka(task.kafka, 'test');
  const admin = await kafka.admin();
  await admin.ensureTopics([
    { topic: manifestTopic(task.name), partitions: 1 },
    { topic: schemaTopic(task.name), partitions: 1 },
    { topic: snapshotTopic(task.name), partitions: PARTITIONS },
  ]);
  await admin.close();
  const self: ReadingTask = {
    task,
    kafka,
    partitions: PARTITIONS,
    tables: () => selectedTables(task),
    attempt: () => startAttempt(ctx, self),
    keeper: async () => {
      const keeper = await openKeeper({ endpoint: task.source.endpoint, applicationName: 'test keeper' });
      ctx.defer(() => keeper.close());
      return keeper;
    },
    read: async ({ keeper = null, signal = new AbortController().signal, ...options }) =>
      runSnapshot({ task, tables: await self.tables(), kafka, partitions: PARTITIONS, keeper, signal, ...options }),
    manifest: () => readManifest(self),
    chunks: () => readChunks(self),
  };
  return self;
}

async function selectedTables(task: Task): Promise<readonly SelectedTable[]> {
  const client = await connect(task.source.endpoint, { applicationName: 'test', end: 'source' });
  try {
    return (await readTableSelection(client, task.selection)).tables;
  } finally {
    await client.end();
  }
}

async function startAttempt(ctx: TestContext, { task, kafka, manifest }: ReadingTask): Promise<ManifestWriter> {
  const state = emptyManifest();
  for (const [offset, record] of (await manifest()).entries()) fold(state, BigInt(offset), record);
  const producer = await kafka.producer();
  ctx.defer(() => producer.close());
  const sizes = { checkpointBytes: 1_000_000, maxMessageBytes: task.kafka.maxMessageBytes };
  const writer = manifestWriter({ topic: manifestTopic(task.name), producer, state, ...sizes });
  await writer.append({
    kind: 'epoch',
    task: task.name,
    definition: { hash: '', types: [...task.types] },
    source: { systemIdentifier: '1', timeline: 1, database: task.source.endpoint.database, serverVersion: 170_000 },
    slot: '',
    publication: '',
    options: {},
    tables: [],
    replicaIdentities: [],
    startedAt: '',
    host: '',
    pid: 1,
  });
  return writer;
}

async function readManifest({ task, kafka }: ReadingTask): Promise<ManifestRecord[]> {
  const fetcher = await kafka.fetcher();
  try {
    const topic = manifestTopic(task.name);
    const { high } = await fetcher.watermarks({ topic, partition: 0 });
    if (high === 0n) return [];
    const range = { topic, partition: 0, offset: 0n, count: Number(high) };
    const [records = []] = await fetcher.ranges([range], new AbortController().signal);
    return records.map(({ offset, value }) => decodeManifestRecord(value, offset));
  } finally {
    await fetcher.close();
  }
}

async function readChunks(reading: ReadingTask): Promise<ReadChunk[]> {
  const state = emptyManifest();
  const listed: Extract<ManifestRecord, { kind: 'chunks' }>[] = [];
  for (const [offset, record] of (await reading.manifest()).entries()) {
    if (fold(state, BigInt(offset), record).counts && record.kind === 'chunks') listed.push(record);
  }
  const current = listed.filter(
    ({ table, generation }) => state.reads.get(quoteTable(table))?.generation === generation,
  );
  const fetcher = await reading.kafka.fetcher();
  try {
    const ranges = current.flatMap(({ segments }) => segments);
    const records = await fetcher.ranges(ranges, new AbortController().signal);
    return records.flat().map(({ headers, value }) => ({
      ...decodeChunkHeader(headers[CHUNK_HEADER]),
      rowsText: value ?? Buffer.alloc(0),
    }));
  } finally {
    await fetcher.close();
  }
}
