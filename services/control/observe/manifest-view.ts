import { emptyManifest, type ManifestState } from '../../../shared/envelope/fold.ts';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import { readRecord } from '../../../shared/envelope/read-record.ts';
import type { Fetcher, Kafka } from '../../../shared/kafka/interfaces.ts';
import { manifestTopic } from '../../../shared/kafka/topic-names.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';

type OriginalIdentity = RecordOf<'epoch'>['replicaIdentities'][number];

const MAX_BYTES = 4_000_000;

/** What counts of a task's manifest, read on with every `refresh`. */
export class ManifestView {
  readonly state: ManifestState = emptyManifest();
  /** By tableKey: replica identities as they were before the task changed them, by its first epoch that says so. */
  readonly originalIdentities = new Map<string, OriginalIdentity>();
  /** Topics of tables, of all epochs. */
  readonly tableTopics = new Set<string>();
  transactions = 0n;
  /** Of the first transaction that counted, in milliseconds since 1970: what a sink that applied nothing yet waits for. */
  firstCommitTime: number | null = null;
  readonly #fetcher: Fetcher;
  readonly #topic: string;

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

  /** Takes in what stands in the topic now. */
  async refresh(signal: AbortSignal): Promise<void> {
    const place = { topic: this.#topic, partition: 0 };
    const { low, high } = await this.#fetcher.watermarks(place);
    let offset = this.state.nextOffset;
    if (offset < low) offset = low;
    while (offset < high) {
      const records = await this.#fetcher.tail({ ...place, offset, maxBytes: MAX_BYTES, maxWaitMs: 100 }, signal);
      for (const { offset: at, value } of records) {
        this.#take(at, value);
        offset = at + 1n;
      }
    }
  }

  async close(): Promise<void> {
    await this.#fetcher.close();
  }

  #take(offset: bigint, value: Buffer | null): void {
    const record = readRecord(this.state, offset, value)?.record;
    if (!record) return;
    if (record.kind === 'batch') {
      this.transactions += BigInt(record.transactions);
      if (record.complete) this.firstCommitTime ??= Number(record.complete.commitTime / 1000n);
    }
    if (record.kind !== 'epoch') return;
    for (const { topic } of record.tables) this.tableTopics.add(topic);
    for (const identity of record.replicaIdentities) {
      const key = tableKey(identity);
      if (!this.originalIdentities.has(key)) this.originalIdentities.set(key, identity);
    }
  }
}
