import type { ManifestRecord, RecordOf } from '../../../shared/envelope/manifest.ts';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';

/** A record that counts, and where it stands. */
export interface Counted<R extends ManifestRecord = ManifestRecord> {
  readonly offset: bigint;
  readonly record: R;
}

export type CountedBatch = Counted<RecordOf<'batch'>>;

/** What there is to apply, in order. */
export type FeedItem =
  /** Complete source transactions; `events` of them that the sink takes, in order of position. */
  | ({ readonly kind: 'batch'; readonly events: readonly PackedEvent[]; readonly bytes: number } & CountedBatch)
  /** One source transaction in several batches, all of them counted; its events are read when they are applied. */
  | { readonly kind: 'large'; readonly parts: readonly CountedBatch[]; readonly last: CountedBatch }
  /** Nothing to apply, but all that commits below `record.lsn` stands before it. */
  | ({ readonly kind: 'mark' } & Counted);
