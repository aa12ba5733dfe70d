import kafkajs from 'kafkajs';

/** What somebody else does to the topics of a task. */
export async function withAdmin<T>(
  { brokers }: { readonly brokers: readonly string[] },
  work: (admin: kafkajs.Admin) => Promise<T>,
): Promise<T> {
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** As another client would, with its own library. */
export async function produceForeign(
  { brokers }: { readonly brokers: readonly string[] },
  topic: string,
  record: { readonly messages: kafkajs.Message[]; readonly compression?: kafkajs.CompressionTypes },
): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic, ...record });
  } finally {
    await producer.disconnect();
  }
}

/** One past the last offset of partition 0. */
export async function endOf(ctx: { readonly brokers: readonly string[] }, topic: string): Promise<number> {
  const offsets = await withAdmin(ctx, (admin) => admin.fetchTopicOffsets(topic));
  return Number(offsets.find(({ partition }) => partition === 0)?.high);
}
