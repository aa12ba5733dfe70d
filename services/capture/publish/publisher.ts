import type { PartitionEnd } from '../../../shared/envelope/fold.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FloorLookup, Producer, Written } from '../../../shared/kafka/interfaces.ts';
import { partitionName } from '../../../shared/kafka/partition-name.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { CommittedTransaction } from '../stream/transaction-assembler.ts';
import type { Batch } from './batch-builder.ts';
import type { ManifestWriter } from './manifest-writer.ts';
import { segmentOf } from './segments.ts';

export interface PublisherOptions {
  /** Of the events only: the manifest has its own. */
  readonly producer: Producer;
  readonly writer: ManifestWriter;
  /** Called after each append was answered. */
  readonly onAppended: () => void;
  /** Called once something went wrong: nothing more will be published. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Publishes batches: events first, then the manifest record that makes them count.
 *
 *   send     1 2 3        one send at a time, in order
 *   append     1 2 3      in order, each after its own events were answered
 *
 * After any failure nothing more is sent or appended.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #floors: SegmentEnds;
  #next: bigint;
  #sent: Promise<unknown> = Promise.resolve();
  #appended: Promise<unknown> = Promise.resolve();
  #inFlight = 0;
  #bytes = 0;

  constructor(options: PublisherOptions) {
    const { state } = options.writer;
    this.#options = options;
    this.#floors = new SegmentEnds(state.ends.values());
    this.#next = state.batch + 1n;
  }

  /** Batches given and not yet appended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Size of their messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Hands a batch on; resolves when the next one may be given: its events are being sent, the batch before counts.
   */
  async publish(batch: Batch): Promise<void> {
    this.#inFlight += 1;
    this.#bytes += batch.bytes;
    const number = this.#next;
    this.#next += 1n;
    const before = this.#appended;
    const sent = this.#sent.then(() => this.#send(batch));
    const appended = Promise.all([sent, before]).then(([segments]) => this.#append(number, batch, segments));
    this.#sent = sent;
    this.#appended = appended;
    appended.catch(this.#options.onFailed);
    await before;
  }

  /** Waits until every batch given is appended; rejects with what went wrong. */
  async settled(): Promise<void> {
    await this.#appended;
  }

  async #send({ segments, events }: Batch): Promise<Written[]> {
    const written = await this.#options.producer.sendSealed(segments, this.#floors);
    const count = written.reduce((sum, part) => sum + part.count, 0);
    if (count !== events) {
      throw new SluiceError('KAFKA_PRODUCE_FAILED', `${events} events were sent, ${count} answered`);
    }
    for (const part of written) this.#floors.raise(part);
    for (const segment of segments) segment.release();
    return written;
  }

  async #append(number: bigint, batch: Batch, written: readonly Written[]): Promise<void> {
    const { first, last, bytes, transactions, complete, open, closes, lsn } = batch;
    failpoint('capture.after-events');
    await this.#options.writer.append({
      kind: 'batch',
      lsn,
      batch: number,
      first,
      last,
      transactions,
      complete: complete && publicPart(complete),
      open,
      closes,
      bytes: written.reduce((sum, part) => sum + part.bytes, 0),
      segments: written.map(segmentOf),
    });
    this.#inFlight -= 1;
    this.#bytes -= bytes;
    if (open) failpoint('capture.mid-transaction');
    this.#options.onAppended();
  }
}

function publicPart({ xid, commitLsn, endLsn, commitTime }: CommittedTransaction) {
  return { xid, commitLsn, endLsn, commitTime };
}

/** Where the last known segment of each topic-partition ends: no later one may start below. */
class SegmentEnds implements FloorLookup {
  readonly #ends = new Map<string, bigint>();

  constructor(known: Iterable<PartitionEnd>) {
    for (const { topic, partition, end } of known) this.#ends.set(partitionName({ topic, partition }), end);
  }

  floor(topic: string, partition: number): bigint {
    return this.#ends.get(partitionName({ topic, partition })) ?? 0n;
  }

  raise({ topic, partition, offset, count }: Written): void {
    this.#ends.set(partitionName({ topic, partition }), offset + BigInt(count));
  }
}
