import { emptyManifest, type ManifestState } from '../../../shared/envelope/fold.ts';
import { manifestBelow } from '../../../shared/envelope/manifest-reading.ts';
import { readRecord } from '../../../shared/envelope/read-record.ts';
import { readStored } from '../../../shared/envelope/read-stored.ts';
import type { Fetcher, Kafka } from '../../../shared/kafka/interfaces.ts';
import { manifestTopic } from '../../../shared/kafka/topic-names.ts';

const MAX_BYTES = 4_000_000;

/** What counts of a task's manifest, read on with every `refresh`. */
export class ManifestView {
  state: ManifestState = emptyManifest();
  readonly #fetcher: Fetcher;
  readonly #topic: string;
  #begun = false;

  private constructor(fetcher: Fetcher, topic: string) {
    this.#fetcher = fetcher;
    this.#topic = topic;
  }

  /** Null when the topic does not exist. */
  static async open(kafka: Kafka, task: string): Promise<ManifestView | null> {
    const topic = manifestTopic(task);
    const admin = await kafka.admin();
    try {
      const existing = await admin.existing([topic]);
      if (!existing.has(topic)) return null;
    } finally {
      await admin.close();
    }
    return new ManifestView(await kafka.fetcher(), topic);
  }

  /** Takes in what stands in the topic now; without a checkpoint from its first record that is left. */
  async refresh(signal: AbortSignal): Promise<void> {
    const place = { topic: this.#topic, partition: 0 };
    const { low, high } = await this.#fetcher.watermarks(place);
    if (!this.#begun) {
      const reading = manifestBelow({ low, end: high, beginning: low });
      this.state = await readStored(reading, { fetcher: this.#fetcher, topic: this.#topic }, signal);
      this.#begun = true;
    }
    while (this.state.nextOffset < high) {
      const offset = this.state.nextOffset < low ? low : this.state.nextOffset;
      const records = await this.#fetcher.tail({ ...place, offset, maxBytes: MAX_BYTES, maxWaitMs: 100 }, signal);
      for (const record of records) readRecord(this.state, record.offset, record.value);
    }
  }

  /** Topics of tables, of all epochs. */
  get tableTopics(): ReadonlySet<string> {
    const { earlierTopics, epoch } = this.state;
    return new Set([...earlierTopics, ...(epoch?.tables ?? []).map(({ topic }) => topic)]);
  }

  async close(): Promise<void> {
    await this.#fetcher.close();
  }
}
