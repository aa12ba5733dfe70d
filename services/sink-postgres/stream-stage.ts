import { openCodec } from '../../shared/envelope/codec.ts';
import { emptyManifest, type TableRead } from '../../shared/envelope/fold.ts';
import type { RecordOf } from '../../shared/envelope/manifest.ts';
import { SluiceError } from '../../shared/errors.ts';
import { quoteTable, type TableName, tableKey } from '../../shared/postgres/identifiers.ts';
import { type Lsn, maxLsn, ZERO_LSN } from '../../shared/postgres/lsn.ts';
import { RequestWatch } from './apply/request-watch.ts';
import { applyStream } from './apply/stream.ts';
import { type Concern, TableTargets } from './apply/table-targets.ts';
import type { AppliedPosition } from './bookkeeping/position.ts';
import { openWriter } from './bookkeeping/session.ts';
import { readTableLoads, type TableLoad } from './bookkeeping/table-loads.ts';
import { Closing } from './closing.ts';
import { Bell } from './consume/bell.ts';
import { Feed } from './consume/feed.ts';
import { type ManifestHistory, type ManifestItem, ManifestLog, readHistory } from './consume/manifest-log.ts';
import { SegmentReader } from './consume/segment-reader.ts';
import { announce, create, type StageContext } from './stages.ts';

const READ_AHEAD_BYTES = 8 * 1024 * 1024;

/** Applies the stream from where the applied position stands, until drained or finished. */
export async function streamStage(context: StageContext, applied: AppliedPosition): Promise<void> {
  const { task, kafka, control, destination, takes, log, signal } = context;
  await using closing = new Closing();
  const loads = await readTableLoads(control, destination.identity);
  // The history that the attempt began with may be older than the end of the load.
  const history = await freshHistory(context, applied.manifestOffset);
  const reads = readsOf(loads, history);
  const fetcher = async () => closing.add(await kafka.fetcher(), (opened) => opened.close());
  const codec = openCodec(task.kafka.registry);
  const taken = task.sink.tables === null ? null : new TakenTopics(takes);
  if (history.before?.epoch) taken?.learn(history.before.epoch);
  const bell = new Bell();
  const manifest = new ManifestLog({
    fetcher: await fetcher(),
    topic: context.manifestTopic,
    state: history.before ?? emptyManifest(),
  });
  const feed = closing.add(
    new Feed({
      manifest,
      reader: new SegmentReader({ fetcher: await fetcher(), codec, taken }),
      after: applied.position,
      inspect: (item) => {
        if (item.record.kind === 'epoch') taken?.learn(item.record);
        refuseReload(item, { loads, takes, full: task.types.has('full') });
      },
      maxBytes: READ_AHEAD_BYTES,
      bell,
      signal,
    }),
    (opened) => opened.close(),
  );
  const client = closing.add(
    await openWriter(destination, { role: 'apply', replicaRole: context.replicaRole }),
    (opened) => opened.end(),
  );
  const requests = closing.add(await RequestWatch.open(control, destination.identity, bell), (opened) =>
    opened.close(),
  );
  const concern: Concern = { takes, read: (table) => reads.get(tableKey(table)) ?? null };
  const foreignKeys = new ForeignKeys(context, reads);
  await announce(context, 'incremental data migration', '');
  await foreignKeys.createWhenDue(applied);
  const { conflicts } = task.sink;
  const { fold, applyEvents } = task.tuning;
  const ended = await applyStream({
    context: { client, destination, targets: new TableTargets(control, concern), conflicts, fold, log },
    control,
    destination,
    feed,
    reader: new SegmentReader({ fetcher: await fetcher(), codec, taken }),
    requests,
    bell,
    applied,
    groupEvents: applyEvents,
    onAdvance: (position) => foreignKeys.createWhenDue(position),
    log,
    signal,
  });
  log.info({ task: task.name }, ended === 'finished' ? 'finished for cutover' : 'drained');
}

async function freshHistory({ kafka, manifestTopic, signal }: StageContext, offset: bigint): Promise<ManifestHistory> {
  const fetcher = await kafka.fetcher();
  try {
    return await readHistory({ fetcher, topic: manifestTopic }, offset, signal);
  } finally {
    await fetcher.close().catch(() => undefined);
  }
}

/** The complete read that each table was loaded from, by tableKey; it need not be the newest. */
function readsOf(loads: ReadonlyMap<string, TableLoad>, { state }: ManifestHistory): Map<string, TableRead> {
  const found = new Map<string, TableRead>();
  for (const [key, { generation }] of loads) {
    if (generation === null) continue;
    const newest = state.reads.get(key);
    const read = newest?.generation === generation ? newest : state.replacedReads.get(generation);
    if (read?.state === 'read') found.set(key, read);
  }
  return found;
}

/** Topics of the tables that a sink of some tables takes, as the epoch records name them. */
class TakenTopics {
  readonly #takes: (table: TableName) => boolean;
  readonly #topics = new Set<string>();

  constructor(takes: (table: TableName) => boolean) {
    this.#takes = takes;
  }

  learn({ tables }: RecordOf<'epoch'>): void {
    for (const table of tables) if (this.#takes(table)) this.#topics.add(table.topic);
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }
}

interface Loaded {
  readonly loads: ReadonlyMap<string, TableLoad>;
  readonly takes: (table: TableName) => boolean;
  readonly full: boolean;
}

/** The stream runs on the first reads only: what was read again later cannot be taken in yet. */
function refuseReload({ offset, record }: ManifestItem, { loads, takes, full }: Loaded): void {
  if (!full) return;
  if (record.kind === 'reload' && takes(record.table)) {
    const generation = loads.get(tableKey(record.table))?.generation ?? null;
    if (generation === null || offset > generation) throw reloadNeeded(record.table);
  }
  if (record.kind === 'epoch') {
    const added = record.tables.find((table) => takes(table) && !loads.has(tableKey(table)));
    if (added) throw reloadNeeded(added);
  }
}

function reloadNeeded(table: TableName): SluiceError {
  return new SluiceError('DESTINATION_RELOAD_NEEDED', `${quoteTable(table)} was read anew at the source`);
}

/**
 * Foreign keys come when the applied position has passed every table's read: before, children may precede parents.
 * Without replica role they stay absent until cutover, since one statement may legally write the child first.
 */
class ForeignKeys {
  readonly #context: StageContext;
  readonly #due: Lsn;
  #open: boolean;

  constructor(context: StageContext, reads: ReadonlyMap<string, TableRead>) {
    this.#context = context;
    this.#due = [...reads.values()].reduce((due, { upTo }) => maxLsn(due, upTo), ZERO_LSN);
    this.#open = context.task.types.has('schema') && context.replicaRole;
  }

  async createWhenDue({ lsn }: AppliedPosition): Promise<void> {
    if (!this.#open || lsn < this.#due) return;
    this.#open = false;
    await create(this.#context, 'foreign-keys', this.#context.task.loadParallelism);
  }
}
