import type { Bell } from './bell.ts';
import type { CountedBatch, FeedItem } from './feed-item.ts';
import type { ManifestItem, ManifestLog } from './manifest-log.ts';
import type { SegmentReader } from './segment-reader.ts';

export interface FeedOptions {
  readonly manifest: ManifestLog;
  readonly reader: SegmentReader;
  /** Applied already: batches up to this position are passed over, and the events of one that it stands in. */
  readonly after: bigint;
  /** Sees every counted record first; throws when the stream cannot go on over it. */
  readonly inspect: (item: ManifestItem) => void;
  /** Bytes of events that may wait to be applied; beyond it nothing is asked for. */
  readonly maxBytes: number;
  /** Rung when there is something to take, or when reading failed. */
  readonly bell: Bell;
  readonly signal: AbortSignal;
}

const FETCH_EVENTS = 10_000;
const FETCH_BYTES = 4 * 1024 * 1024;

/**
 * Follows the manifest and reads ahead of what is being applied: what counts becomes a queue of feed items.
 * An open transaction shows up when its last part counts, as one item that holds no events, so that its size does not
 * matter here; when an epoch voids it, it never shows up.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #queue: FeedItem[] = [];
  #queuedBytes = 0;
  /** Of an open transaction. */
  #parts: CountedBatch[] = [];
  /** To be fetched together; how many events and bytes they list. */
  #waiting: CountedBatch[] = [];
  #waitingEvents = 0;
  #waitingBytes = 0;
  #failure: { readonly error: unknown } | null = null;
  #room: () => void = () => undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#done = this.#run();
  }

  /** All that is there, in order; the caller gives back by `putBack` what it does not use. Throws what reading threw. */
  take(): readonly FeedItem[] {
    if (this.#queue.length === 0 && this.#failure) throw this.#failure.error;
    const queue = this.#queue;
    this.#queue = [];
    return queue;
  }

  /** What `take` would give, or nothing; it stays. */
  peek(): readonly FeedItem[] {
    return this.#queue;
  }

  putBack(rest: readonly FeedItem[]): void {
    this.#queue = [...rest, ...this.#queue];
    this.#queuedBytes = this.#queue.reduce((sum, item) => sum + (item.kind === 'batch' ? item.bytes : 0), 0);
    this.#room();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#room();
    await this.#done;
  }

  async #run(): Promise<void> {
    try {
      let coming = this.#next();
      while (!this.#signal.aborted) {
        const items = await coming;
        coming = this.#next();
        for (const item of items) await this.#follow(item);
        await this.#read();
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#failure = { error };
    }
    this.#options.bell.ring();
  }

  /** Asked for while the events of what came before are read. */
  #next(): Promise<ManifestItem[]> {
    const items = this.#options.manifest.next(this.#signal);
    items.catch(() => undefined);
    return items;
  }

  async #follow(item: ManifestItem): Promise<void> {
    this.#options.inspect(item);
    const { offset, record, voids } = item;
    if (voids) this.#parts = [];
    if (record.kind === 'batch') return await this.#followBatch({ offset, record });
    // Inside an open transaction a mark would let the applied position stand behind the first of its parts.
    if (this.#parts.length > 0) return;
    await this.#read();
    this.#push({ kind: 'mark', offset, record });
  }

  async #followBatch(batch: CountedBatch): Promise<void> {
    const { first, last, open, closes } = batch.record;
    if (last <= this.#options.after) return;
    if (open === null && closes === null) {
      const events = Number(last - first) + 1;
      if (this.#isEnough(events, batch.record.bytes)) await this.#read();
      this.#waiting.push(batch);
      this.#waitingEvents += events;
      this.#waitingBytes += batch.record.bytes;
      return;
    }
    await this.#read();
    this.#parts.push(batch);
    if (open !== null) return;
    this.#push({ kind: 'large', parts: this.#parts, last: batch });
    this.#parts = [];
  }

  /** Whether what waits is to be fetched before so many events and bytes more. */
  #isEnough(events: number, bytes: number): boolean {
    if (this.#waiting.length === 0) return false;
    return this.#waitingEvents + events > FETCH_EVENTS || this.#waitingBytes + bytes > FETCH_BYTES;
  }

  async #read(): Promise<void> {
    const batches = this.#waiting;
    if (batches.length === 0) return;
    this.#waiting = [];
    this.#waitingEvents = 0;
    this.#waitingBytes = 0;
    while (this.#queuedBytes >= this.#options.maxBytes && !this.#signal.aborted) await this.#untilRoom();
    const read = await this.#options.reader.read(batches, this.#signal);
    for (const [index, batch] of batches.entries()) {
      const { events, bytes } = read[index]!;
      const { after } = this.#options;
      const rest = batch.record.first <= after ? events.filter(({ position }) => position > after) : events;
      this.#push({ kind: 'batch', ...batch, events: rest, bytes });
    }
  }

  async #untilRoom(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#room = resolve;
    });
  }

  #push(item: FeedItem): void {
    this.#queue.push(item);
    if (item.kind === 'batch') this.#queuedBytes += item.bytes;
    this.#options.bell.ring();
  }
}
