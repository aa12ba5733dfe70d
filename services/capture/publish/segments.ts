import type { ManifestState } from '../../../shared/envelope/fold.ts';
import type { Segment } from '../../../shared/envelope/manifest.ts';
import type { FloorLookup, Written } from '../../../shared/kafka/interfaces.ts';
import { partitionName } from '../../../shared/kafka/partition-name.ts';

/** What a send wrote, as the manifest lists it. */
export function segmentOf({ topic, partition, offset, count, crc32c }: Written): Segment {
  return { topic, partition, offset, count, crc32c };
}

/** Where the listed segments of each topic-partition end, as the fold stands when asked. */
export function listedEnds(state: ManifestState): FloorLookup {
  return { floor: (topic, partition) => state.ends.get(partitionName({ topic, partition }))?.end ?? 0n };
}
