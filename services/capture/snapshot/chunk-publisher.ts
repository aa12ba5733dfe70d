import { CHUNK_HEADER, encodeChunkHeader } from '../../../shared/envelope/snapshot-chunk.ts';
import type { OutgoingRecord, Producer } from '../../../shared/kafka/interfaces.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { listedEnds, segmentOf } from '../publish/segments.ts';
import { ByteBudget } from './byte-budget.ts';
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

interface Queued {
  readonly reading: TableReading;
  readonly chunk: RowChunk;
}

/**
 * Publishes the chunks of all tables in one lane: send, then the manifest record that makes them count, then the
 * next send. So the segments of a partition are listed in the order of their offsets, and a chunk of a reading that
 * was given up is never listed after its table's next reload.
 */
export class ChunkPublisher {
  readonly #options: ChunkPublisherOptions;
  readonly #budget: ByteBudget;
  #queue: Queued[] = [];
  #running = false;
  #failure: { readonly error: unknown } | null = null;
  #waiting: { readonly done: () => boolean; readonly go: () => void }[] = [];
  #sending: TableReading | null = null;
  #partition = 0;

  constructor(options: ChunkPublisherOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.bytesInFlight);
  }

  /** Takes the chunk; waits while too much is in flight. @throws what an earlier send or append met */
  async publish(reading: TableReading, chunk: RowChunk): Promise<void> {
    await this.#budget.take(chunk.bytes.length);
    if (this.#failure) this.#budget.give(chunk.bytes.length);
    this.#check();
    this.#queue.push({ reading, chunk });
    if (!this.#running) void this.#run();
  }

  /** Returns when nothing of the reading waits or is under way. @throws what a send or append met */
  async settled(reading: TableReading): Promise<void> {
    const done = () => this.#sending !== reading && this.#queue.every((item) => item.reading !== reading);
    if (!this.#failure && !done()) await new Promise<void>((go) => this.#waiting.push({ done, go }));
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
    const items = this.#takeGroup();
    const reading = items[0]?.reading;
    try {
      this.#sending = reading ?? null;
      if (reading && !reading.voided) await this.#send(reading, items);
      for (const { chunk } of items) chunk.release();
    } finally {
      this.#sending = null;
      this.#budget.give(bytesOf(items));
    }
    this.#wake();
  }

  /** The oldest chunk and those of the same reading that go with it in one send. */
  #takeGroup(): Queued[] {
    const reading = this.#queue[0]?.reading;
    const group: Queued[] = [];
    let bytes = 0;
    this.#queue = this.#queue.filter((item) => {
      const size = item.chunk.bytes.length;
      const fits = group.length === 0 || bytes + size <= this.#options.sendBytes;
      if (item.reading !== reading || !fits) return true;
      group.push(item);
      bytes += size;
      return false;
    });
    return group;
  }

  async #send(reading: TableReading, items: readonly Queued[]): Promise<void> {
    const { producer, manifest } = this.#options;
    const records = items.map(({ chunk }, i) => this.#record(reading, chunk, reading.chunks + i));
    const written = await producer.send(records, listedEnds(manifest.state));
    const rows = BigInt(items.reduce((sum, { chunk }) => sum + chunk.rows, 0));
    await manifest.append({
      kind: 'chunks',
      table: { schema: reading.table.shape.schema, name: reading.table.shape.name },
      generation: reading.generation,
      chunks: items.length,
      rows,
      segments: written.map(segmentOf),
    });
    reading.chunks += items.length;
    reading.rows += rows;
    await failpoint('capture.in-snapshot');
  }

  #record(reading: TableReading, chunk: RowChunk, number: number): OutgoingRecord {
    const { incarnation, epoch } = this.#options.manifest;
    const { schema, name, columns } = reading.table.shape;
    const header = encodeChunkHeader({
      incarnation,
      epoch,
      schema,
      name,
      generation: reading.generation.toString(),
      chunk: number,
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

  #fail(error: unknown): void {
    this.#failure = { error };
    // Those who wait for room get it one after another, find the failure and give it back.
    this.#budget.give(bytesOf(this.#queue));
    this.#queue = [];
    this.#wake();
  }

  #wake(): void {
    const ready = this.#waiting.filter(({ done }) => this.#failure || done());
    this.#waiting = this.#waiting.filter((waiter) => !ready.includes(waiter));
    for (const { go } of ready) go();
  }
}

function bytesOf(items: readonly Queued[]): number {
  return items.reduce((sum, { chunk }) => sum + chunk.bytes.length, 0);
}
