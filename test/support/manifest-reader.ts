import { crc32c } from '@node-rs/crc32';
import { EventDecoder, type WireEvent } from './avro-events.ts';
import { type CountedRecord, type LoggedSegment, lsnOf, type ManifestLog, readManifest } from './manifest-log.ts';
import { readTopics, type TopicRecord } from './topic-records.ts';

/**
 * An independent reader of a task's topics, without the project's code: follows the manifest and checks that what it
 * lists is there, whole, once and in order.
 */

export interface TopicsOptions {
  readonly brokers: readonly string[];
  readonly registry: string;
  readonly task: string;
}

export interface TopicsReport {
  readonly epochs: number;
  readonly batches: number;
  /** Batches of parts that the end of their epoch voided. */
  readonly voidedBatches: number;
  /** Events that count, and the position of the last. */
  readonly events: number;
  readonly lastPosition: bigint;
  readonly transactions: number;
  readonly chunks: number;
  readonly rows: number;
  /** Records that no counted record lists: left over from failed attempts. */
  readonly leftOver: number;
  readonly ignoredManifestRecords: number;
  readonly problems: readonly string[];
  /** The events that count, in order of position. */
  readonly listed: readonly ListedEvent[];
}

export interface ListedEvent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly event: WireEvent;
}

/** @throws Error listing every problem found */
export async function expectSoundTopics(options: TopicsOptions): Promise<TopicsReport> {
  const report = await readTask(options);
  const { problems } = report;
  if (problems.length > 0) {
    throw new Error(`the topics of ${options.task} are not sound:\n${problems.slice(0, 40).join('\n')}`);
  }
  return report;
}

export async function readTask({ brokers, registry, task }: TopicsOptions): Promise<TopicsReport> {
  const partitions = new Map<string, TopicRecord[]>();
  await readTopics(brokers, `${task}.`, (topic, partition, record) => {
    const name = `${topic}/${partition}`;
    const records = partitions.get(name) ?? [];
    partitions.set(name, records);
    records.push(record);
  });
  const manifest = partitions.get(`${task}.manifest/0`) ?? [];
  return new TopicsCheck(partitions, new EventDecoder(registry)).run(
    readManifest(manifest.map(({ value }) => value.toString())),
  );
}

class TopicsCheck {
  readonly #partitions: ReadonlyMap<string, readonly TopicRecord[]>;
  readonly #decoder: EventDecoder;
  readonly #problems: string[] = [];
  readonly #listedUpTo = new Map<string, number>();
  #listed = 0;

  constructor(partitions: ReadonlyMap<string, readonly TopicRecord[]>, decoder: EventDecoder) {
    this.#partitions = partitions;
    this.#decoder = decoder;
  }

  async run(log: ManifestLog): Promise<TopicsReport> {
    this.#problems.push(...log.problems);
    const events: ListedEvent[] = [];
    for (const record of log.counted) {
      const found = this.#segments(record);
      if (record.kind === 'batch') {
        const merged = await this.#batch(record, found);
        if (!record.voided) for (const event of merged) events.push(event);
      }
    }
    const transactions = this.#transactions(events);
    this.#keys(events);
    const batches = log.counted.filter(({ kind }) => kind === 'batch');
    const stored = [...this.#partitions].filter(([name]) => !name.endsWith('.manifest/0'));
    return {
      epochs: log.epochs,
      batches: batches.length,
      voidedBatches: batches.filter(({ voided }) => voided).length,
      events: events.length,
      lastPosition: events.at(-1)?.event.source.position ?? 0n,
      transactions,
      ...this.#reads(log.counted),
      leftOver: stored.reduce((sum, [, records]) => sum + records.length, 0) - this.#listed,
      ignoredManifestRecords: log.ignored,
      problems: this.#problems,
      listed: events,
    };
  }

  /** The records of each segment: `count` of them, consecutive, with that checksum, behind all listed before. */
  #segments(record: CountedRecord): { segment: LoggedSegment; records: readonly TopicRecord[] }[] {
    return (record.segments ?? []).map((segment) => {
      const name = `${segment.topic}/${segment.partition}`;
      const where = `manifest ${record.offset}: segment ${name} from ${segment.offset}`;
      const first = Number(segment.offset);
      const records = (this.#partitions.get(name) ?? []).slice(first, first + segment.count);
      this.#expect(records.length === segment.count, `${where}: ${records.length} of ${segment.count} records`);
      this.#expect(
        records.every(({ offset }, index) => offset === first + index),
        `${where}: offsets are not consecutive`,
      );
      this.#expect(first >= (this.#listedUpTo.get(name) ?? 0), `${where}: starts inside an earlier segment`);
      this.#expect(checksum(records) === segment.crc32c, `${where}: other checksum than listed`);
      this.#listedUpTo.set(name, first + segment.count);
      this.#listed += records.length;
      return { segment, records };
    });
  }

  /** Positions rise in each segment, belong to the batch's epoch, and are dense over all its segments. */
  async #batch(
    batch: CountedRecord,
    found: readonly { segment: LoggedSegment; records: readonly TopicRecord[] }[],
  ): Promise<ListedEvent[]> {
    const merged: ListedEvent[] = [];
    for (const { segment, records } of found) {
      const { topic, partition } = segment;
      let before = -1n;
      for (const { offset, key, value } of records) {
        const event = await this.#decoder.decode(value);
        const { position, epoch, incarnation } = event.source;
        const where = `${topic}/${partition} offset ${offset}`;
        this.#expect(epoch === batch.epoch && incarnation === batch.incarnation, `${where}: of another epoch`);
        this.#expect(position > before, `${where}: position ${position} after ${before}`);
        before = position;
        merged.push({ topic, partition, offset, key: key?.toString() ?? null, event });
      }
    }
    merged.sort((one, other) => Number(one.event.source.position - other.event.source.position));
    const first = BigInt(batch.first ?? 0);
    const where = `manifest ${batch.offset}: batch ${batch.batch}`;
    const dense = merged.every(({ event }, index) => event.source.position === first + BigInt(index));
    this.#expect(
      dense && BigInt(merged.length) === BigInt(batch.last ?? 0) - first + 1n,
      `${where}: positions not dense`,
    );
    const last = merged.at(-1)?.event.source;
    const expected = batch.complete?.xid ?? batch.open?.xid;
    this.#expect(Number(last?.txId) === expected, `${where}: ends in ${last?.txId}, not in ${expected}`);
    return merged;
  }

  /** Each transaction stands once, in one piece, whole up to its last event, in commit order; gives their count. */
  #transactions(events: readonly ListedEvent[]): number {
    const ended = new Set<string>();
    let current = '';
    let commitLsn = 0n;
    let ordinal = 0n;
    let order = 0n;
    for (const { event, topic, offset } of events) {
      const { txId, commit_lsn, position } = event.source;
      const id = `${txId}@${commit_lsn}`;
      const where = `${topic} offset ${offset}, position ${position}`;
      if (id !== current) {
        this.#expect(!ended.has(id), `${where}: transaction ${id} stands twice`);
        this.#expect(lsnOf(commit_lsn) > commitLsn, `${where}: commit LSN ${commit_lsn} is not above the one before`);
        ended.add(id);
        current = id;
        commitLsn = lsnOf(commit_lsn);
        ordinal = 0n;
        order = 0n;
      }
      this.#expect(event.source.ordinal >= ordinal, `${where}: ordinal ${event.source.ordinal} after ${ordinal}`);
      this.#expect(event.transaction?.total_order === order + 1n, `${where}: total order does not follow ${order}`);
      ordinal = event.source.ordinal;
      order += 1n;
    }
    return ended.size;
  }

  /** A row key stays in one partition, and what happened to it stands there in commit order. */
  #keys(events: readonly ListedEvent[]): void {
    const seen = new Map<string, { partition: number; offset: number }>();
    for (const { topic, partition, offset, key } of events) {
      if (key === null) continue;
      const id = `${topic} ${key}`;
      const before = seen.get(id);
      if (before) {
        this.#expect(before.partition === partition, `${id}: in partitions ${before.partition} and ${partition}`);
        this.#expect(before.offset < offset, `${id}: offset ${offset} after ${before.offset}`);
      }
      seen.set(id, { partition, offset });
    }
  }

  /** Every finished read has all its chunks, each once, and the rows that its record says. */
  #reads(counted: readonly CountedRecord[]): { chunks: number; rows: number } {
    const read = new Map<string, { chunk: number; rows: number }[]>();
    let chunks = 0;
    let rows = 0;
    for (const record of counted) {
      const id = `${record.table?.schema}.${record.table?.name}@${record.generation ?? record.offset}`;
      if (record.kind === 'reload') read.set(id, []);
      if (record.kind === 'chunks') read.get(id)?.push(...this.#chunks(record));
      if (record.kind !== 'read') continue;
      const found = read.get(id) ?? [];
      const numbers = found.map(({ chunk }) => chunk).sort((one, other) => one - other);
      const sum = found.reduce((total, chunk) => total + chunk.rows, 0);
      this.#expect(
        numbers.every((chunk, index) => chunk === index),
        `read ${id}: chunks ${numbers.join(' ')}`,
      );
      this.#expect(found.length === record.chunks, `read ${id}: ${found.length} chunks of ${record.chunks}`);
      this.#expect(sum === Number(record.rows), `read ${id}: ${sum} rows of ${record.rows}`);
      chunks += found.length;
      rows += sum;
    }
    return { chunks, rows };
  }

  #chunks(record: CountedRecord): { chunk: number; rows: number }[] {
    return (record.segments ?? []).flatMap(({ topic, partition, offset, count }) => {
      const records = (this.#partitions.get(`${topic}/${partition}`) ?? []).slice(
        Number(offset),
        Number(offset) + count,
      );
      return records.map(({ value, headers, offset: at }) => {
        const header = JSON.parse(headers['sluice-chunk'] ?? '{}') as Record<string, unknown>;
        const rows = value.reduce((lines, byte) => lines + Number(byte === 10), 0);
        const where = `${topic}/${partition} offset ${at}`;
        this.#expect(header['rows'] === rows, `${where}: ${rows} rows, the header says ${header['rows']}`);
        this.#expect(header['generation'] === record.generation, `${where}: of another generation`);
        this.#expect(header['epoch'] === record.epoch, `${where}: of another epoch`);
        return { chunk: Number(header['chunk']), rows };
      });
    });
  }

  #expect(holds: boolean, problem: string): void {
    if (!holds) this.#problems.push(problem);
  }
}

/** CRC-32C over key and value bytes of each record, in order. */
function checksum(records: readonly TopicRecord[]): number {
  let sum = 0;
  for (const { key, value } of records) {
    if (key) sum = crc32c(key, sum);
    sum = crc32c(value, sum);
  }
  return sum;
}
