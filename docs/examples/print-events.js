// An ordinary consumer of a task's table topics: prints each change once, without looking at the manifest.
//
//   node print-events.js BROKERS REGISTRY_URL TASK [--until-end]
//
// A table topic holds each event at least once: after a crash capture sends again what the manifest did not list.
// Every copy says where it comes from (timeline, commit LSN, ordinal), and within a partition that only rises,
// so what does not rise is a copy. Order holds within a partition only; for whole transactions see follow-manifest.js.
import { randomUUID } from 'node:crypto';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import avro from 'avsc';
import kafkajs from 'kafkajs';

const [brokers, registryUrl, task, untilEnd] = process.argv.slice(2);

// Avro's 64-bit integers as BigInt: JavaScript's numbers hold 53 bits.
const long = avro.types.LongType.__with({
  fromBuffer: (bytes) => bytes.readBigInt64LE(),
  toBuffer: (value) => Buffer.from(new BigInt64Array([value]).buffer),
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value) => typeof value === 'bigint',
  compare: (one, other) => (one < other ? -1 : Number(one > other)),
});
const registry = new SchemaRegistry(
  { host: registryUrl },
  { AVRO: { typeHook: (schema) => (schema === 'long' ? long : undefined) } },
);

const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `print-events-${randomUUID()}` });
const unread = untilEnd ? await highWatermarks() : null;
const newest = new Map();

await consumer.connect();
// <task>.<schema>.<table>; manifest, snapshot and schema-changes have two parts.
await consumer.subscribe({ topics: [new RegExp(`^${task}\\.[^.]+\\.(?!dead-letter$)[^.]+$`)], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ topic, partition, message }) => {
    const event = await registry.decode(message.value);
    if (isNew(`${topic}/${partition}`, event.source)) print(event);
    finish(`${topic}/${partition}`, BigInt(message.offset));
  },
});
if (unread?.size === 0) await consumer.disconnect();

function isNew(place, { timeline, commit_lsn, ordinal, moved }) {
  const [high, low] = commit_lsn.split('/').map((part) => BigInt(`0x${part}`));
  // A key change is two events of one ordinal: the delete of the old key, then the update.
  const origin = [BigInt(timeline), (high << 32n) | low, ordinal, moved ? 0n : 1n];
  if (newest.has(place) && compare(origin, newest.get(place)) <= 0) return false;
  newest.set(place, origin);
  return true;
}

function compare(one, other) {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at < 0 ? 0 : one[at] < other[at] ? -1 : 1;
}

function print({ op, before, after, source, transaction, truncate }) {
  const { schema, table, commit_lsn, ordinal, unchanged, moved } = source;
  const event = {
    table: `${schema}.${table}`,
    op,
    before,
    after,
    unchanged,
    moved,
    truncate,
    transaction: transaction.id,
    commit_lsn,
    ordinal,
  };
  const text = JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  process.stdout.write(`${text}\n`);
}

async function highWatermarks() {
  const admin = kafka.admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter(
    (topic) => topic.startsWith(`${task}.`) && topic.split('.').length === 3,
  );
  const ends = new Map();
  for (const topic of topics) {
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
      if (high !== low) ends.set(`${topic}/${partition}`, BigInt(high));
    }
  }
  await admin.disconnect();
  return ends;
}

function finish(place, offset) {
  if (!unread?.has(place) || offset + 1n < unread.get(place)) return;
  unread.delete(place);
  if (unread.size === 0) setImmediate(() => consumer.disconnect());
}
