import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';

export interface TopicRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Called for each record, rising offsets within a topic's partition. */
export type RecordReceiver = (topic: string, partition: number, record: TopicRecord) => void;

/** All that stands in the topics whose name starts so, by an ordinary consumer; gives the topics. */
export async function readTopics(
  brokers: readonly string[],
  prefix: string,
  receive: RecordReceiver,
): Promise<string[]> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)).sort();
    const open = new Map<string, number>();
    for (const topic of topics) {
      for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
        if (Number(low) > 0) throw new Error(`${topic}/${partition} begins at offset ${low}: records were deleted`);
        if (Number(high) > 0) open.set(`${topic}/${partition}`, Number(high));
      }
    }
    if (open.size > 0) await consume(kafka, topics, open, receive);
    return topics;
  } finally {
    await admin.disconnect();
  }
}

/** `open`: high watermark of each partition that is not read to its end yet. */
async function consume(
  kafka: kafkajs.Kafka,
  topics: readonly string[],
  open: Map<string, number>,
  receive: RecordReceiver,
): Promise<void> {
  const groupId = `test-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    maxBytesPerPartition: 16_777_216,
    retry: { retries: 20, maxRetryTime: 5_000 },
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
      const eachBatch = async ({ batch: { topic, partition, messages } }: kafkajs.EachBatchPayload) => {
        const end = open.get(`${topic}/${partition}`);
        if (end === undefined) return;
        try {
          for (const message of messages)
            if (Number(message.offset) < end) receive(topic, partition, recordOf(message));
        } catch (error) {
          reject(error);
        }
        if (Number(messages.at(-1)?.offset ?? -1) + 1 >= end) open.delete(`${topic}/${partition}`);
        if (open.size === 0) resolve();
      };
      consumer.run({ eachBatch, autoCommit: false }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}

function recordOf({ offset, key, value, headers = {} }: kafkajs.KafkaMessage): TopicRecord {
  const texts = Object.entries(headers).map(([name, text]) => [name, String(text)]);
  return { offset: Number(offset), key, value: value ?? Buffer.alloc(0), headers: Object.fromEntries(texts) };
}
