import type { RecordPage } from './record-pages.ts';

/**
 * What Sluice needs of Kafka. Everything else of it stays behind shared/kafka, the only importer of kafkajs.
 */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | string | null;
  readonly value: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A record batch, and what the manifest says of its records. */
export interface SealedBatch {
  readonly batch: Buffer;
  readonly count: number;
  /** Of keys and values. */
  readonly bytes: number;
  /** Of the segment, through this batch. */
  readonly crc32c: number;
}

/** Record batches that one topic-partition is to get, in order. */
export interface SealedSegment extends TopicPartition {
  readonly batches: readonly SealedBatch[];
  /** To be called when nobody reads the batches any more: their memory is written again. */
  release(): void;
}

/** Records of one topic-partition that one send wrote: `count` consecutive offsets from `offset`. */
export interface Written extends TopicPartition {
  readonly offset: bigint;
  readonly count: number;
  /** CRC-32C over key bytes and value bytes of each record, in order. */
  readonly crc32c: number;
  /** Bytes of keys and values. */
  readonly bytes: number;
}

/**
 * Writes with acks=all, idempotence off, retries 0, an explicit partition per record, one call at a time.
 */
export interface Producer {
  /**
   * One answer for every topic-partition among the records, each exactly once, base offset not below the floor.
   * `floors`: one past the last listed record per `topic/partition`, where known.
   * @throws SluiceError KAFKA_PRODUCE_FAILED, KAFKA_RECORD_TOO_LARGE, KAFKA_TOPIC_MISSING, KAFKA_AUTH_FAILED;
   *   after any of them nothing is known of what was written, and the producer is to be closed.
   */
  send(records: readonly OutgoingRecord[], floors: FloorLookup): Promise<Written[]>;
  /** The same for records that are in record batches already, no topic-partition twice; it keeps none of them. */
  sendSealed(segments: readonly SealedSegment[], floors: FloorLookup): Promise<Written[]>;
  close(): Promise<void>;
}

export interface FloorLookup {
  /** One past the last listed record of the topic-partition; 0n when none is listed. */
  floor(topic: string, partition: number): bigint;
}

export interface FetchedRecord {
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** LogAppendTime in milliseconds. */
  readonly timestamp: bigint;
}

export interface FetchRange extends TopicPartition {
  readonly offset: bigint;
  readonly count: number;
}

export interface Watermarks {
  /** First offset that the broker still holds. */
  readonly low: bigint;
  /** One past the last. */
  readonly high: bigint;
}

/** Reads exact offsets from partition leaders, without groups. Not asking is the back-pressure. */
export interface Fetcher {
  /**
   * All records of every range, `count` consecutive offsets each, in the order of the ranges.
   * Waits while a range is not yet below the high watermark; refreshes metadata on leader errors.
   * @throws SluiceError KAFKA_RECORDS_GONE, KAFKA_TOPIC_MISSING, SEGMENT_BROKEN, KAFKA_FETCH_FAILED, KAFKA_UNREACHABLE
   */
  ranges(ranges: readonly FetchRange[], signal: AbortSignal): Promise<FetchedRecord[][]>;
  /** As `ranges`, for readers of very many records. */
  pages(ranges: readonly FetchRange[], signal: AbortSignal): Promise<RecordPage[][]>;
  /**
   * What stands from `offset` on, at most about `maxBytes`; waits up to `maxWaitMs` for the first record; may be empty.
   */
  tail(
    from: TopicPartition & { offset: bigint; maxBytes: number; maxWaitMs: number },
    signal: AbortSignal,
  ): Promise<FetchedRecord[]>;
  watermarks(partition: TopicPartition): Promise<Watermarks>;
  close(): Promise<void>;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** More partitions than that are no error: somebody added some, which stay empty. */
  readonly orMore?: boolean;
}

export interface TopicAdmin {
  /** Kafka's cluster id. */
  clusterId(): Promise<string>;
  /**
   * Creates what is missing and verifies the settings of what exists (design: the topics of a task).
   * @throws SluiceError KAFKA_TOPIC_SETTINGS naming topic, setting, expected and found.
   */
  ensureTopics(specs: readonly TopicSpec[]): Promise<{ created: string[] }>;
  /** Those of the given topics that exist. */
  existing(topics: readonly string[]): Promise<Set<string>>;
  /** High watermarks of partitions of topics that exist, each named once, in the order asked for. */
  ends(partitions: readonly TopicPartition[]): Promise<bigint[]>;
  /** All topics whose name starts with the prefix. */
  withPrefix(prefix: string): Promise<string[]>;
  deleteTopics(topics: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** One per process: opens connections as asked, with the settings of the task. */
export interface Kafka {
  producer(): Promise<Producer>;
  fetcher(): Promise<Fetcher>;
  admin(): Promise<TopicAdmin>;
}
