import { copyOf, emptyManifest, type ManifestState } from '../../../shared/envelope/fold.ts';
import { manifestBelow, type Reading, storedAt } from '../../../shared/envelope/manifest-reading.ts';
import { namesItsPlace, readRecord } from '../../../shared/envelope/read-record.ts';
import { readStored } from '../../../shared/envelope/read-stored.ts';
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
    const stored = { fetcher: this.#fetcher, topic: this.#topic };
    const { low } = await this.#fetcher.watermarks({ topic: this.#topic, partition: 0 });
    const state = await readStored(manifestBelow({ low, end: offset + 1n }), stored, signal);
    const same = state.epoch?.epoch === this.state.epoch?.epoch && state.batch === this.state.batch;
    if (same) return;
    throw new SluiceError(
      'MANIFEST_BROKEN',
      `${this.#topic}/0 changed below offset ${offset}: it was made anew, or lost its end and has grown again`,
      { context: { topic: this.#topic, partition: 0, offset } },
    );
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
}

/** Looks at the end of the manifest and at the record at `offset`, from the newest checkpoint before each. */
export async function readHistory(
  { fetcher, topic }: { fetcher: Fetcher; topic: string },
  offset: bigint,
  signal: AbortSignal,
): Promise<ManifestHistory> {
  const { low, high } = await fetcher.watermarks({ topic, partition: 0 });
  const read = <T>(reading: Reading<T>) => readStored(reading, { fetcher, topic }, signal);
  const state = await read(manifestBelow({ low, end: high }));
  if (high <= offset) return { state, before: null, at: null, after: null };
  const before = await read(manifestBelow({ low, end: offset }));
  const after = copyOf(before);
  const { value } = await read(storedAt(offset));
  const record = readRecord(after, offset, value)?.record;
  return { state, before, at: record ? { offset, record } : null, after: record ? after : null };
}
