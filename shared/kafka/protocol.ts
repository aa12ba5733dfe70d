import type { Exchange } from './kafkajs.ts';
import { OWN_PART_BYTES, stringSize, WireReader, WireWriter } from './wire.ts';

/**
 * The requests that kafkajs answers with an exception for a whole answer where one partition failed, or encodes
 * slowly: written here with an error code per topic-partition. The versions need Kafka 2.3 or later.
 * @see https://kafka.apache.org/protocol.html#protocol_messages
 */

export const PRODUCE = { key: 0, version: 7, name: 'Produce' } as const;
export const FETCH = { key: 1, version: 11, name: 'Fetch' } as const;
const LIST_OFFSETS = { key: 2, version: 2, name: 'ListOffsets' } as const;
const ALTER_CONFIGS = { key: 44, version: 0, name: 'IncrementalAlterConfigs' } as const;
const METADATA = { key: 3, version: 5, name: 'Metadata' } as const;

const NOTHING = Buffer.alloc(0);

type Api = { readonly key: number; readonly version: number; readonly name: string };

/** `body`: one buffer, or several that follow each other. */
function exchange<T>(
  api: Api,
  body: Buffer | readonly Buffer[],
  decode: (reader: WireReader) => T,
  timeout = 0,
): Exchange<T> {
  const [first = NOTHING, ...rest] = Buffer.isBuffer(body) ? [body] : body;
  return {
    request: {
      apiKey: api.key,
      apiVersion: api.version,
      apiName: api.name,
      encode: () => Promise.resolve({ buf: first, buffer: first, rest }),
    },
    response: {
      decode: (payload) => Promise.resolve(decode(new WireReader(payload)) as T & { clientSideThrottleTime?: number }),
      parse: (decoded) => Promise.resolve(decoded),
    },
    requestTimeout: timeout,
    logResponseError: false,
  };
}

export interface TopicMetadata {
  readonly topic: string;
  readonly code: number;
  /** Node id of the leader by partition; below 0 where there is none. */
  readonly leaders: readonly number[];
  readonly replicas: number;
}

export interface ClusterMetadata {
  readonly clientSideThrottleTime: number;
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly clusterId: string;
  readonly controllerId: number;
  readonly topics: readonly TopicMetadata[];
}

/** null: all topics. Never creates one. */
export function metadataExchange(topics: readonly string[] | null): Exchange<ClusterMetadata> {
  const writer = new WireWriter(5 + (topics ?? []).reduce((sum, topic) => sum + stringSize(topic), 0));
  writer.int32(topics ? topics.length : -1);
  for (const topic of topics ?? []) writer.string(topic);
  writer.int8(0);
  return exchange(METADATA, writer.buffer, decodeMetadata);
}

function decodeMetadata(reader: WireReader): ClusterMetadata {
  return {
    clientSideThrottleTime: reader.int32(),
    brokers: reader.array(() => {
      const broker = { nodeId: reader.int32(), host: reader.string() ?? '', port: reader.int32() };
      reader.string();
      return broker;
    }),
    clusterId: reader.string() ?? '',
    controllerId: reader.int32(),
    topics: reader.array(() => decodeTopic(reader)),
  };
}

function decodeTopic(reader: WireReader): TopicMetadata {
  const code = reader.int16();
  const topic = reader.string() ?? '';
  reader.int8();
  const leaders: number[] = [];
  let replicas = 0;
  reader.array(() => {
    reader.int16();
    const partition = reader.int32();
    leaders[partition] = reader.int32();
    replicas = reader.array(() => reader.int32()).length;
    reader.array(() => reader.int32());
    reader.array(() => reader.int32());
  });
  return { topic, code, leaders, replicas };
}

/** Data of one topic each, as requests and answers nest it. */
export interface OfTopic<T> {
  readonly topic: string;
  readonly partitions: readonly T[];
}

export interface ProducedPartition {
  readonly partition: number;
  readonly batch: Buffer;
}

export interface ProduceAnswer {
  readonly partition: number;
  readonly code: number;
  readonly baseOffset: bigint;
}

export interface Produced {
  readonly clientSideThrottleTime: number;
  readonly topics: readonly OfTopic<ProduceAnswer>[];
}

/** acks=all. `timeout`: milliseconds that the broker waits for its followers. Large batches are not copied. */
export function produceExchange(topics: readonly OfTopic<ProducedPartition>[], timeout: number): Exchange<Produced> {
  const batches = topics.flatMap(({ partitions }) => partitions.map(({ batch }) => batch));
  const names = topics.reduce((sum, { topic }) => sum + stringSize(topic) + 4, 12);
  const copied = batches.reduce((sum, { length }) => sum + 8 + (length < OWN_PART_BYTES ? length : 0), names);
  const writer = new WireWriter(copied);
  const parts: Buffer[] = [];
  let from = 0;
  const endPart = () => {
    if (writer.at > from) parts.push(writer.buffer.subarray(from, writer.at));
    from = writer.at;
  };
  writer.int16(-1);
  writer.int16(-1);
  writer.int32(timeout);
  writer.int32(topics.length);
  for (const { topic, partitions } of topics) {
    writer.string(topic);
    writer.int32(partitions.length);
    for (const { partition, batch } of partitions) {
      writer.int32(partition);
      writer.int32(batch.length);
      if (batch.length < OWN_PART_BYTES) writer.bytes(batch);
      else {
        endPart();
        parts.push(batch);
      }
    }
  }
  endPart();
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  return exchange(PRODUCE, parts, decodeProduced, timeout + answerTime(size));
}

const ANSWER_MARGIN = 10_000;
/** Of the slowest link that large requests and answers get through. */
const BYTES_PER_MILLISECOND = 256;

/** Longest that so many bytes are on their way: a limit that does not grow with them is never met on a slow link. */
export function answerTime(bytes: number): number {
  return ANSWER_MARGIN + Math.ceil(bytes / BYTES_PER_MILLISECOND);
}

function decodeProduced(reader: WireReader): Produced {
  const topics = reader.array(() => ({
    topic: reader.string() ?? '',
    partitions: reader.array(() => {
      const answer = { partition: reader.int32(), code: reader.int16(), baseOffset: reader.int64() };
      reader.int64();
      reader.int64();
      return answer;
    }),
  }));
  return { topics, clientSideThrottleTime: reader.int32() };
}

export interface WantedPartition {
  readonly partition: number;
  readonly offset: bigint;
  readonly maxBytes: number;
}

export interface FetchAnswer {
  readonly partition: number;
  readonly code: number;
  readonly highWatermark: bigint;
  /** Whole record batches and perhaps a cut one. */
  readonly records: Buffer;
}

export interface Fetched {
  readonly clientSideThrottleTime: number;
  readonly code: number;
  readonly topics: readonly OfTopic<FetchAnswer>[];
}

export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
}

/** No partition twice. Partitions are served in the order given, as far as `maxBytes` reaches. */
export function fetchExchange(topics: readonly OfTopic<WantedPartition>[], limits: FetchLimits): Exchange<Fetched> {
  const size = topics.reduce((sum, { topic, partitions }) => sum + stringSize(topic) + 4 + partitions.length * 28, 35);
  const writer = new WireWriter(size);
  writer.int32(-1);
  writer.int32(limits.maxWaitMs);
  writer.int32(1);
  writer.int32(limits.maxBytes);
  writer.int8(0);
  writer.int32(0);
  writer.int32(-1);
  writer.int32(topics.length);
  for (const { topic, partitions } of topics) {
    writer.string(topic);
    writer.int32(partitions.length);
    for (const { partition, offset, maxBytes } of partitions) {
      writer.int32(partition);
      writer.int32(-1);
      writer.int64(offset);
      writer.int64(-1n);
      writer.int32(maxBytes);
    }
  }
  writer.int32(0);
  writer.string('');
  return exchange(FETCH, writer.buffer, decodeFetched, limits.maxWaitMs + answerTime(limits.maxBytes));
}

function decodeFetched(reader: WireReader): Fetched {
  const clientSideThrottleTime = reader.int32();
  const code = reader.int16();
  reader.int32();
  const topics = reader.array(() => ({
    topic: reader.string() ?? '',
    partitions: reader.array(() => decodeFetchedPartition(reader)),
  }));
  return { clientSideThrottleTime, code, topics };
}

function decodeFetchedPartition(reader: WireReader): FetchAnswer {
  const partition = reader.int32();
  const code = reader.int16();
  const highWatermark = reader.int64();
  reader.int64();
  reader.int64();
  reader.array(() => reader.bytes(16));
  reader.int32();
  return { partition, code, highWatermark, records: reader.bytes(Math.max(0, reader.int32())) };
}

export const EARLIEST = -2n;
export const LATEST = -1n;

export interface ListedOffset {
  readonly partition: number;
  readonly code: number;
  readonly offset: bigint;
}

export interface ListedOffsets {
  readonly clientSideThrottleTime: number;
  readonly topics: readonly OfTopic<ListedOffset>[];
}

/** `time`: EARLIEST gives the first offset still held, LATEST the high watermark. */
export function listOffsetsExchange(topics: readonly OfTopic<number>[], time: bigint): Exchange<ListedOffsets> {
  const size = topics.reduce((sum, { topic, partitions }) => sum + stringSize(topic) + 4 + partitions.length * 12, 9);
  const writer = new WireWriter(size);
  writer.int32(-1);
  writer.int8(0);
  writer.int32(topics.length);
  for (const { topic, partitions } of topics) {
    writer.string(topic);
    writer.int32(partitions.length);
    for (const partition of partitions) {
      writer.int32(partition);
      writer.int64(time);
    }
  }
  return exchange<ListedOffsets>(LIST_OFFSETS, writer.buffer, (reader) => ({
    clientSideThrottleTime: reader.int32(),
    topics: reader.array(() => ({
      topic: reader.string() ?? '',
      partitions: reader.array(() => {
        const partition = reader.int32();
        const code = reader.int16();
        reader.int64();
        return { partition, code, offset: reader.int64() };
      }),
    })),
  }));
}

const TOPIC_RESOURCE = 2;
const SET = 0;

/** Sets one configuration of a topic; the answer is an error code. To be sent to the controller. */
export function setTopicConfigExchange(topic: string, name: string, value: string): Exchange<{ code: number }> {
  const writer = new WireWriter(15 + stringSize(topic) + stringSize(name) + stringSize(value));
  writer.int32(1);
  writer.int8(TOPIC_RESOURCE);
  writer.string(topic);
  writer.int32(1);
  writer.string(name);
  writer.int8(SET);
  writer.string(value);
  writer.int8(0);
  const used = writer.buffer.subarray(0, writer.at);
  return exchange(ALTER_CONFIGS, used, (reader) => {
    reader.int32();
    const [answer] = reader.array(() => ({ code: reader.int16(), message: reader.string() }));
    return { code: answer?.code ?? 0 };
  });
}

/** Groups by topic, in order of first appearance. */
export function byTopic<T, P>(items: readonly T[], topicOf: (item: T) => string, partOf: (item: T) => P): OfTopic<P>[] {
  const topics = new Map<string, P[]>();
  for (const item of items) {
    const topic = topicOf(item);
    const parts = topics.get(topic);
    if (parts) parts.push(partOf(item));
    else topics.set(topic, [partOf(item)]);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
