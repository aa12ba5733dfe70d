import { emptyManifest, type ManifestState } from '../../../shared/envelope/fold.ts';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import { namesItsPlace, readRecord } from '../../../shared/envelope/read-record.ts';
import { SluiceError } from '../../../shared/errors.ts';
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

  /**
   * What counts of the next records; waits about a second for the first, and may be empty.
   * @throws SluiceError MANIFEST_BROKEN, KAFKA_*
   */
  async next(signal: AbortSignal): Promise<ManifestItem[]> {
    const at = { topic: this.#topic, partition: 0, offset: this.state.nextOffset };
    const records = await this.#fetcher.tail({ ...at, maxBytes: POLL_BYTES, maxWaitMs: POLL_WAIT_MS }, signal);
    const items: ManifestItem[] = [];
    for (const { offset, value } of records) {
      const read = readRecord(this.state, offset, value);
      if (read) items.push({ offset, ...read });
      else if (namesItsPlace(offset, value)) await this.#expectUnchanged(offset, signal);
    }
    return items;
  }

  /**
   * A topic that was made anew, or that lost its end and has grown again, holds other records below `offset` than those
   * that were read here.
   */
  async #expectUnchanged(offset: bigint, signal: AbortSignal): Promise<void> {
    const { state } = await readHistory(
      { fetcher: this.#fetcher, topic: this.#topic, through: offset },
      offset,
      signal,
    );
    const same = state.epoch?.epoch === this.state.epoch?.epoch && state.batch === this.state.batch;
    if (same) return;
    throw new SluiceError(
      'MANIFEST_BROKEN',
      `${this.#topic}/0 changed below offset ${offset}: it was made anew, or lost its end and has grown again`,
      { context: { topic: this.#topic, partition: 0, offset } },
    );
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

/** Reads the manifest to its end, or `through` an offset, and looks at the record at `offset` on the way. */
export async function readHistory(
  { fetcher, topic, through }: { fetcher: Fetcher; topic: string; through?: bigint },
  offset: bigint,
  signal: AbortSignal,
): Promise<ManifestHistory> {
  const end = through === undefined ? await new ManifestLog({ fetcher, topic }).end() : through + 1n;
  const state = emptyManifest();
  const reads = new Map<bigint, RecordOf<'read'>>();
  let before: ManifestState | null = null;
  let after: ManifestState | null = null;
  let at: Counted | null = null;
  let first: Counted | null = null;
  while (state.nextOffset < end) {
    const from = { topic, partition: 0, offset: state.nextOffset, maxBytes: POLL_BYTES, maxWaitMs: POLL_WAIT_MS };
    for (const { offset: stands, value } of await fetcher.tail(from, signal)) {
      if (stands >= end) break;
      if (stands === offset) before = copyOf(state);
      const record = readRecord(state, stands, value)?.record;
      if (!record) continue;
      first ??= { offset: stands, record };
      if (stands === offset) {
        at = { offset, record };
        after = copyOf(state);
      }
      if (record.kind === 'read') reads.set(record.generation, record);
    }
  }
  return { state, before, at, after, first, reads };
}

/** Its parts are immutable, its maps are not. */
function copyOf(state: ManifestState): ManifestState {
  return { ...state, reads: new Map(state.reads), ends: new Map(state.ends) };
}
