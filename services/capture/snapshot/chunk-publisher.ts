import type { Segment } from '../../../shared/envelope/manifest.ts';
import { CHUNK_HEADER, encodeChunkHeader } from '../../../shared/envelope/snapshot-chunk.ts';
import type { OutgoingRecord, Producer } from '../../../shared/kafka/interfaces.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { ByteBudget } from './byte-budget.ts';
import { byReading, type QueuedChunk, type ReadingChunks, SentEnds, segmentsOf } from './chunk-groups.ts';
import type { RowChunk } from './row-chunk.ts';
import type { TableReading } from './table-reading.ts';

export interface ChunkPublisherOptions {
  readonly producer: Producer;
  readonly manifest: ManifestWriter;
  readonly topic: string;
  readonly partitions: number;
  /** Bytes of chunks that may wait or be under way. */
  readonly bytesInFlight: number;
  /** Bytes of one send: below the largest record batch that the topic takes. */
  readonly sendBytes: number;
}

/**
 * Publishes the chunks of all tables in one lane:
 *
 *   send     1 2 3        one send at a time, of one or several tables
 *   append     1 2 3      in order, a manifest record for each table of a send: it makes the chunks count
 *
 * So the segments of a partition are listed in the order of their offsets. A chunk of a reading that was given up is
 * never listed after its table's next reload: that waits until the reading is settled.
 */
export class ChunkPublisher {
  readonly #options: ChunkPublisherOptions;
  readonly #budget: ByteBudget;
  readonly #ends: SentEnds;
  #queue: QueuedChunk[] = [];
  #running = false;
  #failure: { readonly error: unknown } | null = null;
  #waiting: { readonly reading: TableReading; readonly go: () => void }[] = [];
  /** Chunks taken and not yet counted or given up. */
  readonly #pending = new Map<TableReading, number>();
  #partition = 0;

  constructor(options: ChunkPublisherOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.bytesInFlight);
    this.#ends = new SentEnds(options.manifest.state);
  }

  /** Takes the chunk; waits while too much is in flight. @throws what an earlier send or append met */
  async publish(reading: TableReading, chunk: RowChunk): Promise<void> {
    await this.#budget.take(chunk.bytes.length);
    if (this.#failure) this.#budget.give(chunk.bytes.length);
    this.#check();
    this.#pending.set(reading, (this.#pending.get(reading) ?? 0) + 1);
    this.#queue.push({ reading, chunk });
    if (!this.#running) void this.#run();
  }

  /** Returns when nothing of the reading waits or is under way. @throws what a send or append met */
  async settled(reading: TableReading): Promise<void> {
    if (!this.#failure && this.#pending.has(reading)) {
      await new Promise<void>((go) => this.#waiting.push({ reading, go }));
    }
    this.#check();
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#queue.length > 0) await this.#next();
    } catch (error) {
      this.#fail(error);
    }
    this.#running = false;
  }

  async #next(): Promise<void> {
    const taken = this.#takeGroup();
    const bytes = bytesOf(taken);
    const groups = byReading(taken.filter(({ reading }) => !reading.voided));
    try {
      const segments = await this.#send(groups);
      for (const { chunk } of taken) chunk.release();
      for (const { reading } of taken) if (reading.voided) this.#settle(reading, 1);
      for (const [i, group] of groups.entries()) this.#append(group, segments[i] ?? []).catch(this.#fail);
    } finally {
      this.#budget.give(bytes);
    }
  }

  /** The oldest chunks, as many as go in one send. */
  #takeGroup(): QueuedChunk[] {
    let bytes = 0;
    let count = 0;
    for (const { chunk } of this.#queue) {
      bytes += chunk.bytes.length;
      if (count > 0 && bytes > this.#options.sendBytes) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** The segments of each group. */
  async #send(groups: readonly ReadingChunks[]): Promise<Segment[][]> {
    if (groups.length === 0) return [];
    const records = groups.map(({ reading, chunks }) => chunks.map((chunk) => this.#record(reading, chunk)));
    const written = await this.#options.producer.send(records.flat(), this.#ends);
    for (const part of written) this.#ends.raise(part);
    return segmentsOf(records, written);
  }

  async #append({ reading, chunks }: ReadingChunks, segments: readonly Segment[]): Promise<void> {
    const rows = BigInt(chunks.reduce((sum, chunk) => sum + chunk.rows, 0));
    if (!reading.voided) {
      await this.#options.manifest.append({
        kind: 'chunks',
        table: { schema: reading.table.shape.schema, name: reading.table.shape.name },
        generation: reading.generation,
        chunks: chunks.length,
        rows,
        segments: [...segments],
      });
      reading.chunks += chunks.length;
      reading.rows += rows;
      await failpoint('capture.in-snapshot');
    }
    this.#settle(reading, chunks.length);
  }

  #record(reading: TableReading, chunk: RowChunk): OutgoingRecord {
    const { incarnation, epoch } = this.#options.manifest;
    const { schema, name, columns } = reading.table.shape;
    const header = encodeChunkHeader({
      incarnation,
      epoch,
      schema,
      name,
      generation: reading.generation.toString(),
      chunk: reading.sent++,
      rows: chunk.rows,
      columns: columns.map((column) => column.name),
      key: columns.filter(({ key }) => key).map((column) => column.name),
    });
    const partition = this.#partition;
    this.#partition = (partition + 1) % this.#options.partitions;
    return {
      topic: this.#options.topic,
      partition,
      key: tableKey({ schema, name }),
      value: chunk.bytes,
      headers: { [CHUNK_HEADER]: header },
    };
  }

  #settle(reading: TableReading, chunks: number): void {
    const left = (this.#pending.get(reading) ?? 0) - chunks;
    if (left > 0) {
      this.#pending.set(reading, left);
      return;
    }
    this.#pending.delete(reading);
    this.#wake((waiter) => waiter.reading === reading);
  }

  readonly #fail = (error: unknown): void => {
    this.#failure ??= { error };
    // Those who wait for room get it one after another, find the failure and give it back.
    this.#budget.give(bytesOf(this.#queue));
    this.#queue = [];
    this.#wake(() => true);
  };

  #wake(isReady: (waiter: { readonly reading: TableReading }) => boolean): void {
    const ready = this.#waiting.filter(isReady);
    this.#waiting = this.#waiting.filter((waiter) => !ready.includes(waiter));
    for (const { go } of ready) go();
  }
}

function bytesOf(items: readonly QueuedChunk[]): number {
  return items.reduce((sum, { chunk }) => sum + chunk.bytes.length, 0);
}
