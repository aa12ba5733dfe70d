import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../errors.ts';
import { type Cluster, NOBODY } from './cluster.ts';
import { codeFailure, isLeaderCode, KafkaCode, kafkaFailure } from './failure.ts';
import type { TopicPartition, Watermarks } from './interfaces.ts';
import { partitionName, placeOf } from './partition-name.ts';
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
import { recordsGone } from './range-records.ts';

const PAUSE_MILLISECONDS = 100;
/** Brokers and leaders come back within it, or it is an error. */
export const RETRY_MILLISECONDS = 60_000;
/** A topic that a broker does not know yet, or an end of log that it does not know yet. */
const UNKNOWN_MILLISECONDS = 10_000;

export interface Asked extends TopicPartition {
  readonly offset: bigint;
  readonly maxBytes: number;
}

interface AskOptions {
  readonly limits: FetchLimits;
  readonly patience: Patience;
}

/**
 * Asks the leaders of partitions for records and offsets. What may pass leaves the question without an answer, to be
 * asked again by the caller, until `patience` is at its end.
 */
export class LeaderQuestions {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** One request to each leader; what cannot be asked now is left out, and asked again by the caller. */
  async ask<T extends Asked>(asked: readonly T[], limits: FetchLimits, patience: Patience) {
    if (!(await this.#knowLeaders(asked, patience))) return [];
    const answers = await Promise.all(
      [...this.#cluster.byLeader(asked)].map(([leader, ofLeader]) =>
        leader === NOBODY ? [] : this.#askLeader(leader, ofLeader, { limits, patience }),
      ),
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
      const byName = new Map(asked.map((each) => [partitionName(each), each]));
      return topics.flatMap(({ topic, partitions }) =>
        partitions.flatMap((answer) => {
          const found = byName.get(partitionName({ topic, partition: answer.partition }));
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

  async watermarks(partition: TopicPartition): Promise<Watermarks> {
    const patience = new Patience();
    for (;;) {
      const low = await this.#listOffset(partition, EARLIEST, patience);
      const high = await this.#listOffset(partition, LATEST, patience);
      if (low !== null && high !== null) return { low, high };
    }
  }

  /** Whether the answer holds the log; else refreshes or throws what is wrong with the partition. */
  async isGood(asked: Asked, answer: FetchAnswer | { code: number }, patience: Patience): Promise<boolean> {
    const { code } = answer;
    const { topic, partition, offset } = asked;
    const name = partitionName(asked);
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
        ? new SluiceError('KAFKA_FETCH_FAILED', `nobody leads ${partitionName(still)}`, { context: placeOf(still) })
        : codeFailure(code, partitionName(still), 'KAFKA_FETCH_FAILED', placeOf(still));
    if (failure.retry === 'stop' && !missing) throw failure;
    patience.trouble(`${partitionName(still)} leader`, missing ? UNKNOWN_MILLISECONDS : RETRY_MILLISECONDS, failure);
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
      if (!answer)
        throw new SluiceError('KAFKA_FETCH_FAILED', `no offsets of ${partitionName(partition)} in the answer`);
      return (await this.isGood({ ...partition, offset: 0n, maxBytes: 0 }, answer, patience)) ? answer.offset : null;
    } catch (error) {
      const failure = kafkaFailure(error, `offsets of ${partitionName(partition)}`, 'KAFKA_FETCH_FAILED');
      if (failure.retry === 'stop') throw failure;
      patience.trouble(brokerName(leader), RETRY_MILLISECONDS, failure);
      await this.#refresh([partition], patience);
      return null;
    }
  }
}

function brokerName(nodeId: number): string {
  return `broker ${nodeId}`;
}
