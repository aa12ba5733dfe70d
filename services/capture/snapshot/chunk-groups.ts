import type { ManifestState } from '../../../shared/envelope/fold.ts';
import type { Segment } from '../../../shared/envelope/manifest.ts';
import type { FloorLookup, OutgoingRecord, Written } from '../../../shared/kafka/interfaces.ts';
import { partitionName } from '../../../shared/kafka/partition-name.ts';
import { segmentCrc } from '../../../shared/kafka/segment-crc.ts';
import { segmentOf } from '../publish/segments.ts';
import type { RowChunk } from './row-chunk.ts';
import type { TableReading } from './table-reading.ts';

export interface QueuedChunk {
  readonly reading: TableReading;
  readonly chunk: RowChunk;
}

/** Chunks of one table that go in one send, in order. */
export interface ReadingChunks {
  readonly reading: TableReading;
  readonly chunks: readonly RowChunk[];
}

/** In the order in which the readings come first. */
export function byReading(queued: readonly QueuedChunk[]): ReadingChunks[] {
  const groups = new Map<TableReading, RowChunk[]>();
  for (const { reading, chunk } of queued) {
    const group = groups.get(reading);
    if (group) group.push(chunk);
    else groups.set(reading, [chunk]);
  }
  return [...groups].map(([reading, chunks]) => ({ reading, chunks }));
}

/**
 * What one send wrote, divided among the groups that it was made of: the records of a topic-partition stand in the
 * order in which they were given, those of a group next to each other.
 */
export function segmentsOf(groups: readonly (readonly OutgoingRecord[])[], written: readonly Written[]): Segment[][] {
  const [only] = groups;
  if (groups.length === 1 && only) return [written.map(segmentOf)];
  const next = new Map(written.map(({ topic, partition, offset }) => [partitionName({ topic, partition }), offset]));
  return groups.map((records) => {
    const ofPartition = new Map<string, OutgoingRecord[]>();
    for (const record of records) {
      const key = partitionName(record);
      ofPartition.set(key, [...(ofPartition.get(key) ?? []), record]);
    }
    return [...ofPartition].map(([key, own]) => {
      const { topic, partition } = own[0]!;
      const offset = next.get(key) ?? 0n;
      next.set(key, offset + BigInt(own.length));
      return { topic, partition, offset, count: own.length, crc32c: segmentCrc(own) };
    });
  });
}

/** Where what was sent last to each topic-partition ends, listed already or not: nothing later may start below. */
export class SentEnds implements FloorLookup {
  readonly #state: ManifestState;
  readonly #ends = new Map<string, bigint>();

  /** `state`: what was listed before the first send. */
  constructor(state: ManifestState) {
    this.#state = state;
  }

  floor(topic: string, partition: number): bigint {
    const key = partitionName({ topic, partition });
    return this.#ends.get(key) ?? this.#state.ends.get(key)?.end ?? 0n;
  }

  raise({ topic, partition, offset, count }: Written): void {
    this.#ends.set(partitionName({ topic, partition }), offset + BigInt(count));
  }
}
