import type pg from 'pg';
import { isSluiceError } from '../../../shared/errors.ts';
import type { Kafka, Producer } from '../../../shared/kafka/interfaces.ts';
import { snapshotTopic } from '../../../shared/kafka/topic-names.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { SelectedTable } from '../../../shared/task/selected-tables.ts';
import type { Task } from '../../../shared/task/task.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { ChunkPublisher } from './chunk-publisher.ts';
import { type CutterOptions, PIECE_BYTES } from './frame-cutter.ts';
import { type Keeper, openKeeper } from './keeper.ts';
import { ChunkBuffers } from './row-chunk.ts';
import { SourcePool } from './source-pool.ts';
import { planTable, type ReadOptions, readRange, type TablePlan, tableExists } from './table-reader.ts';
import type { TableReading } from './table-reading.ts';

const BYTES_IN_FLIGHT = 32 * 1024 * 1024;
const LARGEST_TARGET = 2 * 1024 * 1024;
const LARGEST_SEND = 8 * 1024 * 1024;
/** Bytes of a record batch beside the rows: headers, the key, the column list. */
const RECORD_OVERHEAD = 256 * 1024;
/** How often a table is read anew when it is rewritten under the reader. */
const GENERATIONS = 5;

export interface SnapshotOptions {
  readonly task: Task;
  readonly tables: readonly SelectedTable[];
  /** Oids of tables whose types changed since the schema was published; default: none. */
  readonly reshaped?: ReadonlySet<number>;
  /**
   * Of the slot that this attempt created, or of a task without a stream. Null: an ordinary snapshot is taken here,
   * after the reload records, so that a sink that follows the stream knows from where on to pass over a table.
   */
  readonly keeper: Keeper | null;
  readonly manifest: ManifestWriter;
  readonly kafka: Kafka;
  /** Of `<task>.snapshot`. */
  readonly partitions: number;
  readonly signal: AbortSignal;
  /** Bytes of rows in memory, over all workers. */
  readonly bytesInFlight?: number;
}

export async function openSnapshotRun(options: SnapshotOptions): Promise<SnapshotRun> {
  return new SnapshotRun(options, await options.kafka.producer());
}

/** What the reads of one attempt share: sessions, the publishing lane, keepers, and the end of all when one fails. */
export class SnapshotRun {
  readonly #options: SnapshotOptions;
  readonly #producer: Producer;
  readonly #publisher: ChunkPublisher;
  readonly #pool: SourcePool;
  readonly #stop = new AbortController();
  readonly #keepers: Keeper[] = [];
  readonly #copy: Omit<CutterOptions, 'keyColumns'>;

  constructor(options: SnapshotOptions, producer: Producer) {
    const { task, manifest, partitions, bytesInFlight = BYTES_IN_FLIGHT } = options;
    const workers = task.snapshotParallelism;
    const largest = task.kafka.maxMessageBytes - RECORD_OVERHEAD;
    this.#options = options;
    this.#producer = producer;
    // Half of the bytes in flight wait to be published, half are being cut by the workers.
    const target = Math.floor(Math.min(LARGEST_TARGET, largest / 2, bytesInFlight / (2 * workers)));
    const buffers = new ChunkBuffers(target + 2 * PIECE_BYTES, Math.ceil(bytesInFlight / target));
    this.#copy = { largest, target, buffers };
    this.#publisher = new ChunkPublisher({
      producer,
      manifest,
      topic: snapshotTopic(task.name),
      partitions,
      bytesInFlight: bytesInFlight / 2,
      sendBytes: Math.min(LARGEST_SEND, largest),
    });
    this.#pool = new SourcePool(task.source.endpoint, this.#applicationName('snapshot'), workers);
    this.#stop.signal.addEventListener('abort', () => this.#pool.destroy());
    options.signal.addEventListener('abort', this.#abort);
    if (options.signal.aborted) this.#abort();
  }

  /** Appends the reload records, so that each has its generation. */
  async startReadings(tables: readonly SelectedTable[]): Promise<TableReading[]> {
    return await Promise.all(tables.map((table) => this.#startReading(table)));
  }

  /** Takes an ordinary snapshot, kept until the end of the run. */
  async openKeeper(): Promise<Keeper> {
    const { endpoint } = this.#options.task.source;
    const keeper = await openKeeper({ endpoint, applicationName: this.#applicationName('keeper') });
    this.#keepers.push(keeper);
    return keeper;
  }

  /** Largest tables first, so that the end does not wait for one of them alone. */
  async readAll(readings: readonly TableReading[], keeper: Keeper): Promise<void> {
    const ordered = readings.toSorted((a, b) => b.table.approximateBytes - a.table.approximateBytes);
    await Promise.all(
      ordered.map((reading) => this.#readTable(reading, keeper).catch((error: unknown) => this.#stop.abort(error))),
    );
    this.#stop.signal.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#abort);
    this.#pool.destroy();
    await Promise.all(this.#keepers.map((keeper) => keeper.close()));
    await this.#producer.close();
  }

  readonly #abort = () => this.#stop.abort(this.#options.signal.reason);

  /** A table that was rewritten under its reader is read anew, as another generation under a snapshot of its own. */
  async #readTable(first: TableReading, keeper: Keeper): Promise<void> {
    for (let reading = first, generation = 1; ; generation += 1) {
      const error = await this.#readOnce(reading, generation === 1 ? keeper : await this.openKeeper());
      if (error === null) return;
      reading.voided = true;
      await this.#publisher.settled(reading);
      if (await this.#wasDropped(reading, error)) return await this.#appendDropped(reading);
      if (!isSluiceError(error, 'SOURCE_TABLE_REWRITTEN') || generation === GENERATIONS) throw error;
      reading = await this.#startReading(reading.table);
    }
  }

  /** Null, or why it failed. */
  async #readOnce(reading: TableReading, keeper: Keeper): Promise<unknown> {
    const signal = AbortSignal.any([this.#stop.signal, keeper.lost]);
    const workers = this.#options.task.snapshotParallelism;
    const { snapshot } = keeper;
    const options = { ...this.#readOptions(reading), snapshot, workers };
    try {
      const plan = await this.#pool.run(signal, (client) => planTable(client, reading.table, options));
      const ends = await Promise.all(plan.ranges.map((range) => this.#readRange(reading, plan, range, signal)));
      const failed = ends.find((end) => end !== null);
      if (failed) return failed;
      await this.#publisher.settled(reading);
      await this.#appendRead(reading, keeper);
      return null;
    } catch (error) {
      return error;
    }
  }

  /** Null, or why it failed: then the other ranges of the reading are not begun any more. */
  async #readRange(
    reading: TableReading,
    plan: TablePlan,
    range: TablePlan['ranges'][number],
    signal: AbortSignal,
  ): Promise<unknown> {
    try {
      await this.#pool.run(signal, async (client) => {
        if (!reading.voided) await readRange(client, plan, range, this.#readOptions(reading));
      });
      return null;
    } catch (error) {
      reading.voided = true;
      return error;
    }
  }

  #readOptions(reading: TableReading): ReadOptions {
    return { ...this.#copy, take: (chunk) => this.#publisher.publish(reading, chunk) };
  }

  async #startReading(table: SelectedTable): Promise<TableReading> {
    const { manifest, reshaped } = this.#options;
    const columns = table.shape.columns.map(({ name, type }) => ({ name, type }));
    const types = reshaped?.has(table.shape.oid) ? { columns } : {};
    const generation = await manifest.append({ kind: 'reload', table: nameOf(table), ...types });
    return { table, generation, sent: 0, chunks: 0, rows: 0n, voided: false };
  }

  async #appendRead(reading: TableReading, keeper: Keeper): Promise<void> {
    // In the keeper's session: the others have tables waiting for them.
    const upTo = await keeper.read(currentWalPosition);
    await failpoint('capture.before-read-record');
    const { generation, chunks, rows } = reading;
    const snapshot = keeper.identity;
    await this.#options.manifest.append({
      kind: 'read',
      table: nameOf(reading.table),
      generation,
      snapshot,
      chunks,
      rows,
      upTo,
    });
  }

  async #wasDropped(reading: TableReading, error: unknown): Promise<boolean> {
    if (!isSluiceError(error, 'SOURCE_TABLE_RESHAPED')) return false;
    return !(await this.#pool.run(this.#stop.signal, (client) => tableExists(client, reading.table)));
  }

  async #appendDropped({ table, generation }: TableReading): Promise<void> {
    await this.#options.manifest.append({ kind: 'dropped', table: nameOf(table), generation });
  }

  #applicationName(part: string): string {
    return `sluice ${this.#options.task.name} ${part}`;
  }
}

async function currentWalPosition(client: pg.Client): Promise<Lsn> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
  return parseLsn(rows[0]?.lsn ?? '');
}

function nameOf({ shape }: SelectedTable) {
  return { schema: shape.schema, name: shape.name };
}
