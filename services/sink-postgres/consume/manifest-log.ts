import { emptyManifest, fold, type ManifestState } from '../../../shared/envelope/fold.ts';
import { decodeManifestRecord, type RecordOf } from '../../../shared/envelope/manifest.ts';
import type { Fetcher } from '../../../shared/kafka/interfaces.ts';
import type { Counted } from './feed-item.ts';

const POLL_BYTES = 4 * 1024 * 1024;
const POLL_WAIT_MS = 1_000;

/** A record that counts; `voids`: it is an epoch record that voids the parts of an open transaction. */
export interface ManifestItem extends Counted {
  readonly voids: boolean;
}

/**
 * The manifest of a task, read forward through `fold`: gives what counts, in order.
 * Records are read from offset 0 on, or from where `state` ends.
 */
export class ManifestLog {
  readonly #fetcher: Fetcher;
  readonly #topic: string;
  readonly state: ManifestState;

  constructor({ fetcher, topic, state }: { fetcher: Fetcher; topic: string; state?: ManifestState }) {
    this.#fetcher = fetcher;
    this.#topic = topic;
    this.state = state ?? emptyManifest();
  }

  /** What counts of the next records; waits about a second for the first, and may be empty. */
  async next(signal: AbortSignal): Promise<ManifestItem[]> {
    const at = { topic: this.#topic, partition: 0, offset: this.state.nextOffset };
    const records = await this.#fetcher.tail({ ...at, maxBytes: POLL_BYTES, maxWaitMs: POLL_WAIT_MS }, signal);
    const items: ManifestItem[] = [];
    for (const { offset, value } of records) {
      const record = decodeManifestRecord(value, offset);
      const verdict = fold(this.state, offset, record);
      if (verdict.counts) items.push({ offset, record, voids: verdict.voids });
    }
    return items;
  }

  /** One past the last record that Kafka holds now. */
  async end(): Promise<bigint> {
    return (await this.#fetcher.watermarks({ topic: this.#topic, partition: 0 })).high;
  }
}

/** What stands in the manifest when a sink starts. */
export interface ManifestHistory {
  /** Up to the end of the log. */
  readonly state: ManifestState;
  /** As it was just before the record at the offset asked for; null when the log does not reach there. */
  readonly before: ManifestState | null;
  /** The record at the offset asked for, if it counts. */
  readonly at: Counted | null;
  /** As it was just after that record. */
  readonly after: ManifestState | null;
  /** The first record that counts. */
  readonly first: Counted | null;
  /** The `read` records by generation. */
  readonly reads: ReadonlyMap<bigint, RecordOf<'read'>>;
}

/** Reads the manifest to its end and looks at the record at `offset` on the way. */
export async function readHistory(
  { fetcher, topic }: { fetcher: Fetcher; topic: string },
  offset: bigint,
  signal: AbortSignal,
): Promise<ManifestHistory> {
  const end = await new ManifestLog({ fetcher, topic }).end();
  const state = emptyManifest();
  const reads = new Map<bigint, RecordOf<'read'>>();
  let before: ManifestState | null = null;
  let after: ManifestState | null = null;
  let at: Counted | null = null;
  let first: Counted | null = null;
  while (state.nextOffset < end) {
    const from = { topic, partition: 0, offset: state.nextOffset, maxBytes: POLL_BYTES, maxWaitMs: POLL_WAIT_MS };
    for (const { offset: stands, value } of await fetcher.tail(from, signal)) {
      const record = decodeManifestRecord(value, stands);
      if (stands === offset) before = copyOf(state);
      const { counts } = fold(state, stands, record);
      if (counts) first ??= { offset: stands, record };
      if (stands === offset && counts) {
        at = { offset, record };
        after = copyOf(state);
      }
      if (counts && record.kind === 'read') reads.set(record.generation, record);
    }
  }
  return { state, before, at, after, first, reads };
}

/** Its parts are immutable, its maps are not. */
function copyOf(state: ManifestState): ManifestState {
  return { ...state, reads: new Map(state.reads), ends: new Map(state.ends) };
}
