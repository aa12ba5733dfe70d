import { SluiceError } from '../errors.ts';
import type { OutgoingRecord, TopicPartition } from './interfaces.ts';
import { partitionName } from './partition-name.ts';
import { BATCH_OVERHEAD, contentBytes, recordOverhead } from './record-batch.ts';

/** Records of one topic-partition that go into one record batch. */
export interface OutgoingBatch extends TopicPartition {
  readonly records: OutgoingRecord[];
  /** Keys and values. */
  bytes: number;
  /** Upper bound of the encoded batch. */
  size: number;
}

export interface BatchLimits {
  /** Batches end near it; a record larger than it gets a batch of its own. */
  readonly targetBytes: number;
  /** max.message.bytes of the topics: what a batch may never exceed. */
  readonly maxBytes: number;
}

/**
 * Batches in rounds: Kafka takes one batch of a topic-partition in a request, so what does not fit goes into the
 * next round, after the answer to the one before.
 * @throws SluiceError KAFKA_RECORD_TOO_LARGE
 */
export function batchRounds(records: readonly OutgoingRecord[], limits: BatchLimits): OutgoingBatch[][] {
  const rounds: OutgoingBatch[][] = [];
  const newest = new Map<string, { round: number; batch: OutgoingBatch; size: number }>();
  let lastTopic: string | undefined;
  let lastPartition = -1;
  let last: { round: number; batch: OutgoingBatch } | undefined;
  for (const record of records) {
    const { topic, partition } = record;
    if (topic !== lastTopic || partition !== lastPartition || !last) {
      last = newest.get(partitionName({ topic, partition }));
      lastTopic = topic;
      lastPartition = partition;
    }
    const bytes = contentBytes(record);
    const size = bytes + recordOverhead(record);
    if (size + BATCH_OVERHEAD > limits.maxBytes) throw tooLarge(record, size, limits.maxBytes);
    if (!last || last.batch.size + size > limits.targetBytes) {
      last = startBatch(rounds, record, last === undefined ? 0 : last.round + 1);
      newest.set(partitionName({ topic, partition }), { ...last, size });
    }
    last.batch.records.push(record);
    last.batch.bytes += bytes;
    last.batch.size += size;
  }
  return rounds;
}

function startBatch(rounds: OutgoingBatch[][], { topic, partition }: OutgoingRecord, round: number) {
  const batch: OutgoingBatch = { topic, partition, records: [], bytes: 0, size: BATCH_OVERHEAD };
  const batches = rounds[round];
  if (batches) batches.push(batch);
  else rounds[round] = [batch];
  return { round, batch };
}

/** In order, as many as `maxBytes` allows in each group, one at least. */
export function groupBySize<T extends { readonly size: number }>(items: readonly T[], maxBytes: number): T[][] {
  const groups: T[][] = [];
  let room = 0;
  for (const item of items) {
    if (item.size > room) {
      groups.push([]);
      room = maxBytes;
    }
    groups.at(-1)!.push(item);
    room -= item.size;
  }
  return groups;
}

function tooLarge({ topic, partition }: OutgoingRecord, size: number, limit: number): SluiceError {
  return new SluiceError(
    'KAFKA_RECORD_TOO_LARGE',
    `a record of ${size} bytes for ${topic}, where ${limit} are allowed`,
    {
      context: { topic, partition, bytes: size },
    },
  );
}
