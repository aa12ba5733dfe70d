import type pg from 'pg';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import type { Kafka } from '../../../shared/kafka/interfaces.ts';
import { type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import type { Logger } from '../../../shared/service/logger.ts';
import { startFirstGenerations, startGeneration } from '../bookkeeping/generations.ts';
import { type Destination, destinationFailure } from '../bookkeeping/session.ts';
import {
  type CompleteRead,
  expectTables,
  finishTables,
  readTableLoads,
  writeProgress,
} from '../bookkeeping/table-loads.ts';
import type { ManifestItem, ManifestLog } from '../consume/manifest-log.ts';
import { JobQueue } from './job-queue.ts';
import { type LoadJob, loadChunks } from './load-chunks.ts';
import { mergeTables } from './merge-tables.ts';
import { retypeColumns } from './retype-columns.ts';
import { stagingOf } from './staging.ts';

export interface LoadOptions {
  readonly kafka: Kafka;
  /** From the beginning. */
  readonly manifest: ManifestLog;
  readonly destination: Destination;
  /** A session for the bookkeeping of tables; nobody else uses it meanwhile. */
  readonly control: pg.Client;
  readonly replicaRole: boolean;
  readonly parallelism: number;
  readonly takes: (table: TableName) => boolean;
  /** The sink made the tables, from the schema that capture published. */
  readonly ownsTables: boolean;
  /** The table was there before the task, and its rows stay. */
  readonly isKept: (table: TableName) => boolean;
  /** Generations that a newer reload of their table has voided already, as far as the manifest was read before. */
  readonly isVoid: (table: TableName, generation: bigint) => boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** How far one table is, by what was read of the manifest. */
interface Progress {
  generation: bigint;
  /** Jobs of the generation that are not done. */
  pending: Set<Promise<void>>;
  loaded: boolean;
}

const PROGRESS_MS = 1_000;

/**
 * Loads the first reads of all tables as their chunks are published, over several connections, each chunk once.
 * Returns when every table of the newest epoch is loaded, or when the signal fires.
 */
export async function loadTables(options: LoadOptions): Promise<void> {
  const load = new TableLoading(options);
  await load.run();
}

class TableLoading {
  readonly #options: LoadOptions;
  readonly #queue: JobQueue<LoadJob>;
  readonly #tables = new Map<string, Progress>();
  readonly #finishing = new Set<Promise<void>>();
  /** Complete reads of tables that are kept, by tableKey: merged together when there is nothing else to load. */
  readonly #staged = new Map<string, CompleteRead>();
  /** Reads whose tables are loaded, to be marked so. */
  readonly #complete: CompleteRead[] = [];
  /** The bookkeeping session takes one transaction at a time. */
  #control: Promise<unknown> = Promise.resolve();

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#queue = new JobQueue(options.parallelism);
  }

  async run(): Promise<void> {
    const { parallelism, signal } = this.#options;
    const { identity } = this.#options.destination;
    const abort = () => this.#queue.fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const workers = Array.from({ length: parallelism }, () => loadChunks(this.#options, this.#queue));
    const progress = setInterval(() => {
      void this.#exclusively((client) => writeProgress(client, identity)).catch((error) => this.#queue.fail(error));
    }, PROGRESS_MS);
    try {
      for (const [key, { generation, state }] of await this.#exclusively((client) =>
        readTableLoads(client, identity),
      )) {
        if (generation !== null) this.#tables.set(key, { generation, pending: new Set(), loaded: state === 'loaded' });
      }
      await this.#follow();
    } catch (error) {
      this.#queue.fail(error);
    } finally {
      clearInterval(progress);
      this.#queue.close();
      await Promise.all(workers);
      await Promise.allSettled([...this.#finishing, this.#control]);
      signal.removeEventListener('abort', abort);
    }
    if (!signal.aborted) this.#queue.check();
  }

  async #follow(): Promise<void> {
    const { manifest, signal } = this.#options;
    while (!signal.aborted) {
      this.#queue.check();
      if (this.#isRead()) {
        await Promise.all(this.#finishing);
        this.#queue.check();
        if (this.#isLoaded()) return await this.#merge();
      }
      const items = await manifest.next(signal);
      for (const [i, item] of items.entries()) {
        if (item.record.kind === 'reload' && items[i - 1]?.record.kind !== 'reload') await this.#startFirst(items, i);
        await this.#take(item);
      }
    }
  }

  async #merge(): Promise<void> {
    if (this.#staged.size === 0) return;
    const { destination, replicaRole, log } = this.#options;
    const reads = [...this.#staged.values()];
    // Nothing else touches the bookkeeping of tables meanwhile: it takes them in another order.
    for (const { read, added } of await this.#exclusively(() => mergeTables(destination, replicaRole, reads))) {
      const kept = read.totals.rows - added;
      log.info({ table: tableKey(read.table), added: Number(added), kept: Number(kept) }, 'rows merged into the table');
    }
  }

  #stagingOf(table: TableName): TableName | null {
    const { isKept, destination } = this.#options;
    return isKept(table) ? stagingOf(destination.identity, table) : null;
  }

  /** The tables that the newest epoch lists and the sink takes. */
  #expected(): TableName[] {
    return (this.#options.manifest.state.epoch?.tables ?? []).filter(this.#options.takes);
  }

  #isRead(): boolean {
    const { state } = this.#options.manifest;
    if (!state.epoch) return false;
    return this.#expected().every((table) => {
      const read = state.reads.get(tableKey(table));
      return read !== undefined && read.state !== 'reading';
    });
  }

  #isLoaded(): boolean {
    return this.#expected().every((table) => this.#tables.get(tableKey(table))?.loaded);
  }

  async #take({ offset, record }: ManifestItem): Promise<void> {
    const { takes, isVoid, destination } = this.#options;
    switch (record.kind) {
      case 'epoch':
        await this.#exclusively((client) => expectTables(client, destination.identity, record.tables.filter(takes)));
        return;
      case 'reload':
        if (takes(record.table) && !isVoid(record.table, offset)) await this.#reload(record, offset);
        return;
      case 'chunks':
        if (this.#isCurrent(record)) await this.#chunks(record);
        return;
      case 'read':
        if (this.#isCurrent(record)) this.#finish(record, { chunks: record.chunks, rows: record.rows });
        return;
      case 'dropped':
        if (this.#isCurrent(record)) await this.#dropped(record);
        return;
      default:
        return;
    }
  }

  /** Of the generation that the table is at, and not all of it loaded. */
  #isCurrent({ table, generation }: { readonly table: TableName; readonly generation: bigint }): boolean {
    const progress = this.#tables.get(tableKey(table));
    return progress?.generation === generation && !progress.loaded;
  }

  /** The reloads that stand next to each other from `from` on, as far as nothing is to be done for them singly. */
  async #startFirst(items: readonly ManifestItem[], from: number): Promise<void> {
    const { takes, isVoid, destination } = this.#options;
    const reads = new Map<string, { table: TableName; generation: bigint }>();
    for (const { record, offset } of items.slice(from)) {
      if (record.kind !== 'reload') break;
      const { table, columns } = record;
      const key = tableKey(table);
      const isFirst = !this.#tables.has(key) && !reads.has(key);
      if (!isFirst || columns || this.#stagingOf(table) || !takes(table) || isVoid(table, offset)) continue;
      reads.set(key, { table, generation: offset });
    }
    if (reads.size < 2) return;
    const all = [...reads.values()];
    const started = await this.#exclusively((client) => startFirstGenerations(client, destination.identity, all));
    for (const { table, generation } of started) {
      this.#tables.set(tableKey(table), { generation, pending: new Set(), loaded: false });
    }
  }

  async #reload({ table, columns }: RecordOf<'reload'>, generation: bigint): Promise<void> {
    const key = tableKey(table);
    const current = this.#tables.get(key);
    if (current && current.generation >= generation) return;
    // What is under way of the older generation must not come after the table is emptied.
    await this.#settled(current);
    const { identity } = this.#options.destination;
    const { ownsTables } = this.#options;
    const prepare = async (client: pg.Client) => {
      if (columns && ownsTables) await retypeColumns(client, table, columns);
    };
    const staging = this.#stagingOf(table);
    await this.#exclusively((client) => startGeneration(client, identity, { table, generation, staging, prepare }));
    this.#staged.delete(key);
    this.#tables.set(key, { generation, pending: new Set(), loaded: false });
    if (current) this.#options.log.info({ table: key }, 'the table is read again, and loaded anew');
  }

  async #chunks(record: RecordOf<'chunks'>): Promise<void> {
    const { incarnation, table, generation } = record;
    const { pending } = this.#tables.get(tableKey(table))!;
    for (const segment of record.segments) {
      let done: () => void = () => undefined;
      const finished = new Promise<void>((resolve) => {
        done = resolve;
      });
      pending.add(finished);
      void finished.then(() => pending.delete(finished));
      await this.#queue.put({
        segment,
        read: { incarnation, table, generation, staging: this.#stagingOf(table) },
        done,
      });
    }
  }

  /** When all of its jobs are done; the manifest is followed meanwhile. */
  #finish({ table, generation }: { table: TableName; generation: bigint }, totals: CompleteRead['totals']): void {
    const progress = this.#tables.get(tableKey(table))!;
    const { log } = this.#options;
    const finish = async () => {
      await this.#settled(progress);
      if (this.#tables.get(tableKey(table)) !== progress) return;
      const read = { table, generation, totals };
      if (this.#options.isKept(table)) this.#staged.set(tableKey(table), read);
      else await this.#finishTable(read);
      progress.loaded = true;
      log.info({ table: tableKey(table), rows: Number(totals.rows) }, 'table loaded');
    };
    const finishing = finish().catch((error: unknown) => this.#queue.fail(error));
    this.#finishing.add(finishing);
    void finishing.then(() => this.#finishing.delete(finishing));
  }

  /** Those that are complete by now end in one transaction. */
  async #finishTable(read: CompleteRead): Promise<void> {
    this.#complete.push(read);
    await this.#exclusively(async (client) => {
      const reads = this.#complete.splice(0);
      if (reads.length > 0) await finishTables(client, this.#options.destination.identity, reads);
    });
  }

  /** Returns when no job of the table's generation is under way. @throws what a worker met */
  async #settled(progress: Progress | undefined): Promise<void> {
    await Promise.race([Promise.all(progress?.pending ?? []), this.#queue.failed]);
    this.#queue.check();
  }

  /** Dropped at the source while it was read: it stays behind empty. */
  async #dropped(record: RecordOf<'dropped'>): Promise<void> {
    const { destination } = this.#options;
    const { table } = record;
    const key = tableKey(table);
    await this.#settled(this.#tables.get(key));
    // The next number serves as a generation of its own, without chunks: it empties the table.
    const generation = record.generation + 1n;
    const staging = this.#stagingOf(table);
    await this.#exclusively((client) => startGeneration(client, destination.identity, { table, generation, staging }));
    this.#staged.delete(key);
    this.#tables.set(key, { generation, pending: new Set(), loaded: false });
    this.#finish({ table, generation }, { chunks: 0, rows: 0n });
  }

  async #exclusively<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { control, destination } = this.#options;
    const result = this.#control.then(() => work(control));
    this.#control = result.catch(() => undefined);
    try {
      return await result;
    } catch (error) {
      throw destinationFailure(error, destination);
    }
  }
}
