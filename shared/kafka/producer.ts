import { SluiceError } from '../errors.ts';
import { checkAnswers, type SentBatch } from './answers.ts';
import type { Cluster } from './cluster.ts';
import { compressBatch } from './compression.ts';
import { codeFailure, kafkaFailure } from './failure.ts';
import type {
  FloorLookup,
  OutgoingRecord,
  Producer,
  SealedBatch,
  SealedSegment,
  TopicPartition,
  Written,
} from './interfaces.ts';
import { batchRounds, groupBySize, type OutgoingBatch } from './outgoing.ts';
import { partitionName } from './partition-name.ts';
import { byTopic, type OfTopic, type ProduceAnswer, produceExchange } from './protocol.ts';
import { encodeRecordBatch } from './record-batch.ts';
import { RequestLimit } from './request-limit.ts';
import { segmentCrc } from './segment-crc.ts';

const BATCH_BYTES = 8 * 1024 * 1024;
/** Larger ones hold one record. */
const COMPRESSED_ABOVE = BATCH_BYTES;
const REQUEST_BYTES = 32 * 1024 * 1024;
const ACKS_MILLISECONDS = 30_000;
const LEADER_MILLISECONDS = 10_000;

/**
 * acks=all, no idempotence, nothing sent twice: a request whose answer is lost or wrong ends the producer.
 * Metadata may be asked for again and again, since nothing is written by that.
 */
export class DirectProducer implements Producer {
  readonly #cluster: Cluster;
  readonly #maxBytes: number;
  readonly #requests: RequestLimit;
  #state: 'ready' | 'sending' | 'ended' = 'ready';

  constructor(cluster: Cluster, maxMessageBytes: number) {
    this.#cluster = cluster;
    this.#maxBytes = maxMessageBytes;
    this.#requests = new RequestLimit(cluster);
  }

  send(records: readonly OutgoingRecord[], floors: FloorLookup): Promise<Written[]> {
    const targetBytes = Math.min(BATCH_BYTES, this.#maxBytes);
    return this.#sendOnce(() => batchRounds(records, { targetBytes, maxBytes: this.#maxBytes }).map(asSent), floors);
  }

  sendSealed(segments: readonly SealedSegment[], floors: FloorLookup): Promise<Written[]> {
    return this.#sendOnce(() => sealedRounds(segments), floors);
  }

  async close(): Promise<void> {
    this.#state = 'ended';
    await this.#cluster.close();
  }

  /** A topic-partition stands once in a round. */
  async #sendOnce(roundsOf: () => SealableBatch[][], floors: FloorLookup): Promise<Written[]> {
    if (this.#state === 'sending') throw new SluiceError('INTERNAL', 'two sends at once would reorder records');
    if (this.#state === 'ended') throw new SluiceError('KAFKA_PRODUCE_FAILED', 'this producer has ended');
    this.#state = 'sending';
    try {
      const written = await this.#send(roundsOf(), floors);
      this.#state = 'ready';
      return written;
    } catch (error) {
      this.#state = 'ended';
      throw producerFailure(error);
    }
  }

  async #send(rounds: readonly SealableBatch[][], floors: FloorLookup): Promise<Written[]> {
    await this.#awaitLeaders(rounds[0] ?? []);
    const written = new Map<string, Written>();
    for (const round of rounds) {
      for (const part of await this.#sendRound(round, { floors, written })) {
        written.set(partitionName(part), joined(written.get(partitionName(part)), part));
      }
    }
    return [...written.values()];
  }

  /** Brokers at once, the requests to one broker one after the other. */
  async #sendRound(round: readonly SealableBatch[], state: SendState): Promise<Written[]> {
    const byLeader = this.#cluster.byLeader(round);
    const sends = [...byLeader].map(([leader, batches]) => this.#sendToBroker(leader, batches, state));
    // All are waited for: nothing of this send may be under way when it ends.
    const settled = await Promise.allSettled(sends);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return settled.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  }

  async #sendToBroker(leader: number, batches: readonly SealableBatch[], state: SendState): Promise<Written[]> {
    const answered: Written[] = [];
    for (const group of groupBySize(batches, REQUEST_BYTES)) {
      const sealed = group.map((batch) => ({
        ...batch,
        ...batch.seal(state.written.get(partitionName(batch))?.crc32c ?? 0),
      }));
      answered.push(...checkAnswers(sealed.map(sentBatch), await this.#produce(leader, sealed), state.floors));
    }
    return answered;
  }

  async #produce(
    leader: number,
    batches: readonly (TopicPartition & SealedBatch)[],
  ): Promise<readonly OfTopic<ProduceAnswer>[]> {
    const compressed = await Promise.all(batches.map(compressLarge));
    await this.#requests.check(leader, compressed);
    const topics = byTopic(
      compressed,
      ({ topic }) => topic,
      ({ partition, batch }) => ({ partition, batch }),
    );
    const { topics: answers } = await this.#cluster.exchange(leader, produceExchange(topics, ACKS_MILLISECONDS));
    return answers;
  }

  async #awaitLeaders(partitions: readonly TopicPartition[]): Promise<void> {
    if (await this.#cluster.awaitLeaders(partitions, LEADER_MILLISECONDS)) return;
    const { topic, partition } = partitions.find((each) => this.#cluster.leader(each) < 0)!;
    const code = this.#cluster.topic(topic)?.code ?? 0;
    const context = { topic, partition };
    if (code !== 0) throw codeFailure(code, `writing to ${topic}/${partition}`, 'KAFKA_PRODUCE_FAILED', context);
    throw new SluiceError('KAFKA_PRODUCE_FAILED', `nobody leads ${topic}/${partition}`, { context });
  }
}

/** A batch that is sealed when its turn comes, so that not all of a large send stands in memory twice. */
interface SealableBatch extends TopicPartition {
  /** Upper bound of the sealed batch. */
  readonly size: number;
  /** `before`: checksum of what the same send wrote to the topic-partition already. */
  readonly seal: (before: number) => SealedBatch;
}

function asSent(round: readonly OutgoingBatch[]): SealableBatch[] {
  return round.map(({ topic, partition, records, bytes, size }) => ({
    topic,
    partition,
    size,
    seal: (before) => {
      const batch = encodeRecordBatch(records, BigInt(Date.now()));
      return { batch, count: records.length, bytes, crc32c: segmentCrc(records, before) };
    },
  }));
}

function sealedRounds(segments: readonly SealedSegment[]): SealableBatch[][] {
  const rounds: SealableBatch[][] = [];
  for (const { topic, partition, batches } of segments) {
    for (const [round, sealed] of batches.entries()) {
      rounds[round] ??= [];
      rounds[round].push({ topic, partition, size: sealed.batch.length, seal: () => sealed });
    }
  }
  return rounds;
}

function sentBatch({ topic, partition, count, crc32c, bytes }: TopicPartition & SealedBatch): SentBatch {
  return { topic, partition, count, crc32c, bytes };
}

async function compressLarge({ topic, partition, batch }: TopicPartition & SealedBatch) {
  return { topic, partition, batch: batch.length > COMPRESSED_ABOVE ? await compressBatch(batch) : batch };
}

interface SendState {
  readonly floors: FloorLookup;
  /** By earlier rounds of this send. */
  readonly written: ReadonlyMap<string, Written>;
}

/** What one send writes to a topic-partition is one segment: a further batch must follow without a gap. */
function joined(before: Written | undefined, next: Written): Written {
  if (!before) return next;
  const end = before.offset + BigInt(before.count);
  if (next.offset !== end) {
    throw new SluiceError(
      'KAFKA_PRODUCE_FAILED',
      `${partitionName(next)} answered offset ${next.offset} instead of ${end}`,
    );
  }
  return { ...next, offset: before.offset, count: before.count + next.count, bytes: before.bytes + next.bytes };
}

function producerFailure(error: unknown): SluiceError {
  const failure = kafkaFailure(error, 'writing to Kafka', 'KAFKA_PRODUCE_FAILED');
  if (failure.code !== 'KAFKA_UNREACHABLE' && failure.code !== 'KAFKA_FETCH_FAILED') return failure;
  return new SluiceError('KAFKA_PRODUCE_FAILED', failure.message, { context: failure.context, cause: failure });
}
