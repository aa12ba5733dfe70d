import { abortable } from '../abortable.ts';
import { SluiceError } from '../errors.ts';
import type { Cluster } from './cluster.ts';
import { cursorsOf, type PartitionCursor } from './cursor.ts';
import type { FetchedRecord, Fetcher, FetchRange, TopicPartition, Watermarks } from './interfaces.ts';
import { LeaderQuestions, RETRY_MILLISECONDS } from './leader-questions.ts';
import { partitionName, placeOf } from './partition-name.ts';
import { Patience } from './patience.ts';
import type { FetchAnswer } from './protocol.ts';
import { type RangeRecords, RecordList, recordsGone } from './range-records.ts';
import { ReadAhead } from './read-ahead.ts';
import { batchAt, decodeBatch } from './record-batch.ts';
import { type RecordPage, RecordPages } from './record-pages.ts';

/** What a reader has in memory is a small multiple of these. A record larger than an answer comes whole all the same. */
const ANSWER_BYTES = 4 * 1024 * 1024;
const READ_AHEAD_BYTES = 8 * 1024 * 1024;
/** Of one partition; the lower one of very many, which else would bring far more than is wanted. */
const LEAST_BYTES = 64 * 1024;
const LEAST_BYTES_OF_MANY = 4 * 1024;
const MOST_BYTES = ANSWER_BYTES;
/** Where an answer did not come, or brought nothing: a large record needs time, which is given by what is asked for. */
const MOST_STARVED_BYTES = 16 * 1024 * 1024;
const WAIT_MILLISECONDS = 500;
const TYPICAL_RECORD_BYTES = 512;
/** Records are not all of one size; what comes beyond those wanted is kept for the next call. */
const MARGIN = 1.1;

/** One call at a time: a Fetcher is one reader with connections of its own. */
export class DirectFetcher implements Fetcher {
  readonly #cluster: Cluster;
  readonly #questions: LeaderQuestions;
  readonly #ahead = new ReadAhead(READ_AHEAD_BYTES);
  /** Bytes of a record of each topic, a moving average. */
  readonly #recordBytes = new Map<string, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#questions = new LeaderQuestions(cluster);
  }

  async ranges(ranges: readonly FetchRange[], signal: AbortSignal): Promise<FetchedRecord[][]> {
    const read = await this.#read(ranges, () => new RecordList(), signal);
    return read.map(({ records }) => records);
  }

  async pages(ranges: readonly FetchRange[], signal: AbortSignal): Promise<RecordPage[][]> {
    const read = await this.#read(ranges, () => new RecordPages(), signal);
    return read.map(({ pages }) => pages);
  }

  async #read<R extends RangeRecords>(ranges: readonly FetchRange[], empty: () => R, signal: AbortSignal) {
    const { cursors, results } = cursorsOf(ranges, empty);
    for (const cursor of cursors) if (!cursor.done) this.#ahead.serve(cursor);
    const patience = new Patience();
    for (;;) {
      const pending = cursors.filter((cursor) => !cursor.done);
      if (pending.length === 0) return results;
      await abortable(this.#round(pending, patience), signal);
    }
  }

  async tail(
    from: TopicPartition & { offset: bigint; maxBytes: number; maxWaitMs: number },
    signal: AbortSignal,
  ): Promise<FetchedRecord[]> {
    const patience = new Patience();
    const limits = { maxWaitMs: from.maxWaitMs, maxBytes: from.maxBytes };
    for (;;) {
      const [answer] = await abortable(this.#questions.ask([from], limits, patience), signal);
      if (answer && (await abortable(this.#questions.isGood(answer.asked, answer.answer, patience), signal))) {
        return decodeTail(answer.answer.records, from);
      }
    }
  }

  async watermarks(partition: TopicPartition): Promise<Watermarks> {
    return await this.#questions.watermarks(partition);
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** Asks every leader once for as much of what is pending as an answer holds. */
  async #round(pending: readonly PartitionCursor[], patience: Patience): Promise<void> {
    const { asked, maxBytes } = this.#firstOf(pending);
    const limits = { maxWaitMs: WAIT_MILLISECONDS, maxBytes };
    const answers = await this.#questions.ask(asked, limits, patience);
    // A record larger than what was asked for comes whole, and may need more time than was given for that.
    if (answers.length === 0) for (const { cursor } of asked) cursor.starved += 1;
    for (const { asked, answer } of answers) {
      this.#learn(asked.topic, answer.records);
      if (await this.#questions.isGood(asked, answer, patience)) this.#take(asked.cursor, answer, patience);
    }
  }

  /** A partition that is asked for and does not fit costs the broker as much as one that does. */
  #firstOf(pending: readonly PartitionCursor[]) {
    const least = Math.max(LEAST_BYTES_OF_MANY, Math.min(LEAST_BYTES, ANSWER_BYTES / pending.length));
    const most = pending.some(({ starved }) => starved > 0) ? MOST_STARVED_BYTES : ANSWER_BYTES;
    const asked: (TopicPartition & { offset: bigint; maxBytes: number; cursor: PartitionCursor })[] = [];
    let bytes = 0;
    for (const cursor of pending) {
      if (bytes >= most) break;
      const { topic, partition, wanted } = cursor;
      const maxBytes = this.#bytesToAsk(cursor, least);
      asked.push({ topic, partition, offset: wanted, maxBytes, cursor });
      bytes += maxBytes;
    }
    return { asked, maxBytes: Math.min(bytes, most) };
  }

  #take(cursor: PartitionCursor, answer: FetchAnswer, patience: Patience): void {
    const { wanted } = cursor;
    const rest = cursor.take(answer.records, 0);
    if (cursor.done) this.#ahead.keep(cursor, answer.records, rest);
    const taken = Number(cursor.done ? 0n : cursor.wanted - wanted);
    if (cursor.done || taken > 0) {
      cursor.starved = 0;
      patience.progress(partitionName(cursor));
      return;
    }
    if (answer.highWatermark > wanted) cursor.starved += 1;
    patience.trouble(partitionName(cursor), RETRY_MILLISECONDS, notDelivered(cursor, wanted, answer.highWatermark));
  }

  #bytesToAsk(cursor: PartitionCursor, least: number): number {
    const expected = cursor.remaining * (this.#recordBytes.get(cursor.topic) ?? TYPICAL_RECORD_BYTES) * MARGIN;
    const asked = Math.min(Math.max(expected, least), MOST_BYTES);
    return Math.min(Math.ceil(asked) * 4 ** Math.min(cursor.starved, 8), MOST_STARVED_BYTES);
  }

  #learn(topic: string, records: Buffer): void {
    const first = batchAt(records, 0);
    if (!first) return;
    const size = first.end / Number(first.lastOffset - first.baseOffset + 1n);
    this.#recordBytes.set(topic, (this.#recordBytes.get(topic) ?? size) * 0.7 + size * 0.3);
  }
}

/**
 * All whole batches of an answer, from the wanted offset on. A tail is read without knowing what stands in it: a batch
 * of a kind that only other clients write is one record without key and value, at its last offset.
 */
function decodeTail(log: Buffer, from: TopicPartition & { offset: bigint }): FetchedRecord[] {
  const records: FetchedRecord[] = [];
  let wanted = from.offset;
  let at = 0;
  for (let batch = batchAt(log, at); batch; batch = batchAt(log, at)) {
    if (batch.baseOffset > wanted) throw recordsGone(from, wanted, batch.baseOffset);
    if (batch.foreign && batch.lastOffset >= wanted) records.push(unread(batch.lastOffset));
    const range = { ...placeOf(from), from: wanted, until: batch.lastOffset + 1n };
    if (!batch.foreign) for (const record of decodeBatch(log, at, range)) records.push(record);
    if (batch.lastOffset >= wanted) wanted = batch.lastOffset + 1n;
    at = batch.end;
  }
  return records;
}

function unread(offset: bigint): FetchedRecord {
  return { offset, key: null, value: null, headers: {}, timestamp: 0n };
}

/** A log that stays short of what was confirmed has lost it. */
function notDelivered(partition: TopicPartition, offset: bigint, highWatermark: bigint): SluiceError {
  const lost = highWatermark <= offset;
  return new SluiceError(
    lost ? 'KAFKA_RECORDS_GONE' : 'KAFKA_FETCH_FAILED',
    `${partitionName(partition)} does not deliver offset ${offset}; its high watermark is ${highWatermark}`,
    { context: { ...placeOf(partition), offset, highWatermark } },
  );
}
