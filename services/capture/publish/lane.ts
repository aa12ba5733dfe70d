import type { EventEncoder } from '../../../shared/envelope/codec.ts';
import type { OutgoingEvent } from '../../../shared/envelope/outgoing-event.ts';
import type { BytePool } from '../../../shared/kafka/byte-pool.ts';
import type { SealedSegment, TopicPartition } from '../../../shared/kafka/interfaces.ts';
import { RecordWriter } from '../../../shared/kafka/record-writer.ts';

/** The bytes of a record key: the first so many of `buffer`. */
export interface RecordKey {
  readonly buffer: Uint8Array;
  readonly length: number;
}

const FIRST_BYTES = 4 * 1024;
const MOST_FIRST_BYTES = 1024 * 1024;

/**
 * The records of one topic-partition that wait to be published, as record batches in the making. Behind the mark stand
 * those of a transaction that is not complete.
 *
 *   [ T1 T1 T2 | T3 T3 ]        taken up to the mark: [ T1 T1 T2 ], stays: [ T3 T3 ]
 */
export class Lane implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Of the builder: it holds records of the transaction that is open, or of complete ones. */
  isOpen = false;
  isComplete = false;
  /** A batch ends near it; a record larger than it gets a batch of its own. */
  readonly #targetBytes: number;
  readonly #pool: BytePool;
  #full: RecordWriter[] = [];
  #writer: RecordWriter | null = null;
  #mark = { writers: 0, size: 0, count: 0 };
  #firstBytes = FIRST_BYTES;

  constructor({ topic, partition }: TopicPartition, targetBytes: number, pool: BytePool) {
    this.topic = topic;
    this.partition = partition;
    this.#targetBytes = targetBytes;
    this.#pool = pool;
  }

  /** Returns the length of the record's value. */
  write(event: OutgoingEvent, encoder: EventEncoder, key: RecordKey | null): number {
    this.#writer ??= new RecordWriter(this.#firstBytes, this.#pool);
    const writer = this.#writer;
    const { size, count } = writer;
    writer.begin(key?.buffer ?? null, key?.length);
    encoder.encode(event, writer.out);
    const length = writer.end();
    if (writer.size > this.#targetBytes && count > 0) {
      this.#writer = writer.splitAt(size, count);
      this.#full.push(writer);
    }
    return length;
  }

  /** All that is here belongs to complete transactions. */
  mark(): void {
    this.#mark = { writers: this.#full.length, size: this.#writer?.size ?? 0, count: this.#writer?.count ?? 0 };
  }

  /** Takes what stands before the mark. */
  takeMarked(): SealedSegment {
    const { writers: index, size, count } = this.#mark;
    const writers = this.#writers();
    const marked = writers[index];
    const rest = writers.slice(index + 1);
    if (marked && marked.size > size) rest.unshift(marked.splitAt(size, count));
    this.#keep(rest);
    return this.#sealed(writers.slice(0, index + 1));
  }

  takeAll(): SealedSegment {
    const writers = this.#writers();
    this.#keep([]);
    return this.#sealed(writers);
  }

  #writers(): RecordWriter[] {
    return this.#writer ? [...this.#full, this.#writer] : this.#full;
  }

  #keep(writers: RecordWriter[]): void {
    this.#writer = writers.pop() ?? null;
    this.#full = writers;
    this.#mark = { writers: 0, size: 0, count: 0 };
  }

  #sealed(writers: readonly RecordWriter[]): SealedSegment {
    let crc32c = 0;
    let bytes = 0;
    const batches = writers.map((writer) => {
      bytes += writer.size;
      const sealed = writer.seal(crc32c);
      crc32c = sealed.crc32c;
      return sealed;
    });
    // The next batch will be about as large.
    this.#firstBytes = Math.min(MOST_FIRST_BYTES, Math.max(FIRST_BYTES, Math.ceil(bytes * 1.1)));
    const release = () => {
      for (const writer of writers) writer.release();
    };
    return { topic: this.topic, partition: this.partition, batches, release };
  }
}
