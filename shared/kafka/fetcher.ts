import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../errors.ts';
import type { Cluster } from './cluster.ts';
import { cursorsOf, type PartitionCursor } from './cursor.ts';
import { codeFailure, isLeaderCode, KafkaCode, kafkaFailure } from './failure.ts';
import type { FetchedRecord, Fetcher, FetchRange, TopicPartition, Watermarks } from './interfaces.ts';
import { Patience } from './patience.ts';
import {
  byTopic,
  EARLIEST,
  type FetchAnswer,
  type FetchLimits,
  fetchExchange,
  LATEST,
  listOffsetsExchange,
} from './protocol.ts';
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
const PAUSE_MILLISECONDS = 100;
/** Brokers and leaders come back within it, or it is an error. */
const RETRY_MILLISECONDS = 60_000;
/** A topic that a broker does not know yet, or an end of log that it does not know yet. */
const UNKNOWN_MILLISECONDS = 10_000;
const TYPICAL_RECORD_BYTES = 512;
/** Records are not all of one size; what comes beyond those wanted is kept for the next call. */
const MARGIN = 1.1;

interface Asked extends TopicPartition {
  readonly offset: bigint;
  readonly maxBytes: number;
}

/** One call at a time: a Fetcher is one reader with connections of its own. */
export class DirectFetcher implements Fetcher {
  readonly #cluster: Cluster;
  readonly #ahead = new ReadAhead(READ_AHEAD_BYTES);
  /** Bytes of a record of each topic, a moving average. */
  readonly #recordBytes = new Map<string, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
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
      const [answer] = await abortable(this.#ask([from], limits, patience), signal);
      if (answer && (await abortable(this.#isGood(answer.asked, answer.answer, patience), signal))) {
        return decodeTail(answer.answer.records, from);
      }
    }
  }

  async watermarks(partition: TopicPartition): Promise<Watermarks> {
    const patience = new Patience();
    for (;;) {
      const low = await this.#listOffset(partition, EARLIEST, patience);
      const high = await this.#listOffset(partition, LATEST, patience);
      if (low !== null && high !== null) return { low, high };
    }
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** Asks every leader once for what is pending. */
  async #round(pending: readonly PartitionCursor[], patience: Patience): Promise<void> {
    const least = Math.max(LEAST_BYTES_OF_MANY, Math.min(LEAST_BYTES, ANSWER_BYTES / pending.length));
    const asked = pending.map((cursor) => {
      const { topic, partition, wanted } = cursor;
      return { topic, partition, offset: wanted, maxBytes: this.#bytesToAsk(cursor, least), cursor };
    });
    const bytes = asked.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
    const most = pending.some(({ starved }) => starved > 0) ? MOST_STARVED_BYTES : ANSWER_BYTES;
    const limits = { maxWaitMs: WAIT_MILLISECONDS, maxBytes: Math.min(bytes, most) };
    const answers = await this.#ask(asked, limits, patience);
    // A record larger than what was asked for comes whole, and may need more time than was given for that.
    if (answers.length === 0) for (const cursor of pending) cursor.starved += 1;
    for (const { asked, answer } of answers) {
      if (await this.#isGood(asked, answer, patience)) this.#take(asked.cursor, answer, patience);
    }
  }

  #take(cursor: PartitionCursor, answer: FetchAnswer, patience: Patience): void {
    const { wanted } = cursor;
    const rest = cursor.take(answer.records, 0);
    if (cursor.done) this.#ahead.keep(cursor, answer.records, rest);
    const taken = Number(cursor.done ? 0n : cursor.wanted - wanted);
    if (cursor.done || taken > 0) {
      cursor.starved = 0;
      patience.progress(nameOf(cursor));
      return;
    }
    if (answer.highWatermark > wanted) cursor.starved += 1;
    patience.trouble(nameOf(cursor), RETRY_MILLISECONDS, notDelivered(cursor, wanted, answer.highWatermark));
  }

  #bytesToAsk(cursor: PartitionCursor, least: number): number {
    const expected = cursor.remaining * (this.#recordBytes.get(cursor.topic) ?? TYPICAL_RECORD_BYTES) * MARGIN;
    const asked = Math.min(Math.max(expected, least), MOST_BYTES);
    return Math.min(Math.ceil(asked) * 4 ** Math.min(cursor.starved, 8), MOST_STARVED_BYTES);
  }

  /** One request to each leader; what cannot be asked now is left out, and asked again by the caller. */
  async #ask<T extends Asked>(asked: readonly T[], limits: FetchLimits, patience: Patience) {
    if (!(await this.#knowLeaders(asked, patience))) return [];
    const leaders = new Set(asked.map((each) => this.#cluster.leader(each)));
    const answers = await Promise.all(
      [...leaders].map((leader) => {
        const ofLeader = asked.filter((each) => this.#cluster.leader(each) === leader);
        return leader < 0 ? [] : this.#askLeader(leader, ofLeader, { limits, patience });
      }),
    );
    return answers.flat();
  }

  async #askLeader<T extends Asked>(leader: number, asked: readonly T[], { limits, patience }: AskOptions) {
    const request = byTopic(
      asked,
      ({ topic }) => topic,
      (each) => each,
    );
    try {
      const { code, topics } = await this.#cluster.exchange(leader, fetchExchange(request, limits));
      if (code !== 0) throw codeFailure(code, 'fetching', 'KAFKA_FETCH_FAILED');
      patience.progress(brokerName(leader));
      const byName = new Map(asked.map((each) => [nameOf(each), each]));
      return topics.flatMap(({ topic, partitions }) =>
        partitions.flatMap((answer) => {
          this.#learn(topic, answer.records);
          const found = byName.get(nameOf({ topic, partition: answer.partition }));
          return found ? [{ asked: found, answer }] : [];
        }),
      );
    } catch (error) {
      const failure = kafkaFailure(error, 'fetching', 'KAFKA_FETCH_FAILED');
      if (failure.retry === 'stop') throw failure;
      patience.trouble(brokerName(leader), RETRY_MILLISECONDS, failure);
      await this.#refresh(asked, patience);
      return [];
    }
  }

  #learn(topic: string, records: Buffer): void {
    const first = batchAt(records, 0);
    if (!first) return;
    const size = first.end / Number(first.lastOffset - first.baseOffset + 1n);
    this.#recordBytes.set(topic, (this.#recordBytes.get(topic) ?? size) * 0.7 + size * 0.3);
  }

  /** Whether the answer holds the log; else refreshes or throws what is wrong with the partition. */
  async #isGood(asked: Asked, answer: FetchAnswer | { code: number }, patience: Patience): Promise<boolean> {
    const { code } = answer;
    const { topic, partition, offset } = asked;
    const name = nameOf(asked);
    if (code === 0) {
      patience.progress(`${name} unknown`);
      return true;
    }
    const failure = codeFailure(code, `reading ${name} at offset ${offset}`, 'KAFKA_FETCH_FAILED', {
      topic,
      partition,
      offset,
    });
    if (code === KafkaCode.OFFSET_OUT_OF_RANGE) {
      const { low, high } = await this.watermarks(asked);
      const gone = recordsGone(asked, offset, offset < low ? low : high);
      if (offset < low) throw gone;
      patience.trouble(`${name} unknown`, UNKNOWN_MILLISECONDS, gone);
    } else if (code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) {
      patience.trouble(`${name} unknown`, UNKNOWN_MILLISECONDS, failure);
    } else if (isLeaderCode(code)) {
      patience.trouble(name, RETRY_MILLISECONDS, failure);
    } else {
      throw failure;
    }
    await this.#refresh([asked], patience);
    return false;
  }

  async #knowLeaders(asked: readonly TopicPartition[], patience: Patience): Promise<boolean> {
    const unknown = asked.filter((each) => this.#cluster.leader(each) < 0);
    if (unknown.length === 0) return true;
    await this.#refresh(unknown, patience, 0);
    const still = unknown.find((each) => this.#cluster.leader(each) < 0);
    if (!still) return true;
    const code = this.#cluster.topic(still.topic)?.code ?? 0;
    const missing = code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION;
    const failure =
      code === 0 || isLeaderCode(code)
        ? new SluiceError('KAFKA_FETCH_FAILED', `nobody leads ${nameOf(still)}`, { context: placeOf(still) })
        : codeFailure(code, nameOf(still), 'KAFKA_FETCH_FAILED', placeOf(still));
    if (failure.retry === 'stop' && !missing) throw failure;
    patience.trouble(`${nameOf(still)} leader`, missing ? UNKNOWN_MILLISECONDS : RETRY_MILLISECONDS, failure);
    await sleep(PAUSE_MILLISECONDS);
    return false;
  }

  async #refresh(partitions: readonly TopicPartition[], patience: Patience, pause = PAUSE_MILLISECONDS): Promise<void> {
    await sleep(pause);
    try {
      await this.#cluster.refresh([...new Set(partitions.map(({ topic }) => topic))]);
      patience.progress('cluster');
    } catch (error) {
      const failure = kafkaFailure(error, 'asking for metadata', 'KAFKA_UNREACHABLE');
      if (failure.retry === 'stop' || this.#cluster.closed) throw failure;
      patience.trouble('cluster', RETRY_MILLISECONDS, failure);
    }
  }

  /** null: ask again. */
  async #listOffset(partition: TopicPartition, time: bigint, patience: Patience): Promise<bigint | null> {
    if (!(await this.#knowLeaders([partition], patience))) return null;
    const request = listOffsetsExchange([{ topic: partition.topic, partitions: [partition.partition] }], time);
    const leader = this.#cluster.leader(partition);
    try {
      const { topics } = await this.#cluster.exchange(leader, request);
      const answer = topics[0]?.partitions[0];
      if (!answer) throw new SluiceError('KAFKA_FETCH_FAILED', `no offsets of ${nameOf(partition)} in the answer`);
      return (await this.#isGood({ ...partition, offset: 0n, maxBytes: 0 }, answer, patience)) ? answer.offset : null;
    } catch (error) {
      const failure = kafkaFailure(error, `offsets of ${nameOf(partition)}`, 'KAFKA_FETCH_FAILED');
      if (failure.retry === 'stop') throw failure;
      patience.trouble(brokerName(leader), RETRY_MILLISECONDS, failure);
      await this.#refresh([partition], patience);
      return null;
    }
  }
}

interface AskOptions {
  readonly limits: FetchLimits;
  readonly patience: Patience;
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
    `${nameOf(partition)} does not deliver offset ${offset}; its high watermark is ${highWatermark}`,
    { context: { ...placeOf(partition), offset, highWatermark } },
  );
}

function placeOf({ topic, partition }: TopicPartition) {
  return { topic, partition };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function brokerName(nodeId: number): string {
  return `broker ${nodeId}`;
}

/** Rejects at once when the signal fires; what was under way ends by itself, unheard. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    throw signal.reason;
  }
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
