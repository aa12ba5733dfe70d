import type { FetchRange, TopicPartition } from './interfaces.ts';
import { partitionName } from './partition-name.ts';
import { type RangeRecords, recordsGone } from './range-records.ts';
import { batchAt } from './record-batch.ts';

/** How far the wanted ranges of one topic-partition are read, one range after the other. */
export class PartitionCursor implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly #ranges: { readonly range: FetchRange; readonly records: RangeRecords }[] = [];
  #current = 0;
  /** How often an answer brought nothing although more was there than was asked for. */
  starved = 0;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
  }

  /** All of the range will be in `records` once `done`. */
  add(range: FetchRange, records: RangeRecords): void {
    this.#ranges.push({ range, records });
    if (range.count === 0) this.#skipComplete();
  }

  get done(): boolean {
    return this.#current >= this.#ranges.length;
  }

  /** Offset of the next record wanted; 0 when done. */
  get wanted(): bigint {
    const current = this.#ranges[this.#current];
    return current ? current.range.offset + BigInt(current.records.count) : 0n;
  }

  /** Records wanted from `wanted` on without a gap, over following ranges that continue it. */
  get remaining(): number {
    let remaining = 0;
    let end = this.wanted;
    for (const { range, records } of this.#ranges.slice(this.#current)) {
      if (range.offset + BigInt(records.count) !== end) break;
      remaining += range.count - records.count;
      end = range.offset + BigInt(range.count);
    }
    return remaining;
  }

  /**
   * Takes what is wanted of the record batches in `log` from `at` on.
   * @returns where the batch starts that may hold more than was wanted; the end of the whole batches when all were used.
   * @throws SluiceError KAFKA_RECORDS_GONE when the log goes on above the wanted offset; SEGMENT_BROKEN
   */
  take(log: Buffer, at: number): number {
    while (!this.done) {
      const batch = batchAt(log, at);
      if (!batch) return at;
      if (batch.lastOffset < this.wanted) {
        at = batch.end;
        continue;
      }
      if (batch.baseOffset > this.wanted) throw recordsGone(this, this.wanted, batch.baseOffset);
      const next = this.#takeBatch(log, at);
      if (next === null) return at;
      if (next > batch.lastOffset) at = batch.end;
    }
    return at;
  }

  /** One past the last offset taken; null when the batch holds nothing that is wanted. */
  #takeBatch(log: Buffer, at: number): bigint | null {
    const { range, records } = this.#ranges[this.#current]!;
    const until = range.offset + BigInt(range.count);
    const { topic, partition, wanted: from } = this;
    const taken = records.take(log, at, { topic, partition, from, until });
    this.#skipComplete();
    return taken === 0 ? null : from + BigInt(taken);
  }

  #skipComplete(): void {
    for (;;) {
      const current = this.#ranges[this.#current];
      if (!current || current.records.count < current.range.count) return;
      this.#current += 1;
    }
  }
}

/** One cursor for each topic-partition, and what its ranges are taken into, in the order of `ranges`. */
export function cursorsOf<R extends RangeRecords>(ranges: readonly FetchRange[], empty: () => R) {
  const cursors = new Map<string, PartitionCursor>();
  const results = ranges.map((range) => {
    const key = partitionName(range);
    const cursor = cursors.get(key) ?? new PartitionCursor(range);
    cursors.set(key, cursor);
    const records = empty();
    cursor.add(range, records);
    return records;
  });
  return { cursors: [...cursors.values()], results };
}
