// A consumer that follows the manifest: prints each source transaction whole, once, in commit order.
//
//   node follow-manifest.js BROKERS REGISTRY_URL TASK [--until-end]
//
// The manifest says which records of the table topics count. This program holds what it read of the table topics
// until the manifest lists it, and prints a transaction when all of it is listed. To go on after a restart, store the
// offset of the manifest record in the same place, and in the same transaction, as what you make of the events.
// Checkpoint records say nothing new: who reads from the beginning, as this program does, passes over them.
import { randomUUID } from 'node:crypto';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import avro from 'avsc';
import kafkajs from 'kafkajs';

const [brokers, registryUrl, task, untilEnd] = process.argv.slice(2);
const manifest = `${task}.manifest`;
const MOST_HELD = 50_000;

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
const consumer = kafka.consumer({ groupId: `follow-manifest-${randomUUID()}` });

const held = new Map(); // topic/partition -> records that the manifest has not listed yet, in order of offset
const listed = []; // manifest records that are not printed yet
const counted = { incarnation: null, epoch: null, batch: 0n };
let open = []; // events of a transaction whose last part is still to come
const end = untilEnd ? await manifestEnd() : null;

await consumer.connect();
await consumer.subscribe({
  topics: [new RegExp(`^${task}\\.(manifest|[^.]+\\.(?!dead-letter$)[^.]+)$`)],
  fromBeginning: true,
});
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 1,
  eachMessage: async ({ topic, partition, message, pause }) => {
    if (topic === manifest) {
      listed.push({ offset: BigInt(message.offset), record: parsed(message.value) });
    } else {
      const records = heldOf(topic, partition);
      records.push({ offset: BigInt(message.offset), value: message.value });
      if (records.length >= MOST_HELD) records.resume = pause();
    }
    while (listed.length > 0 && isThere(listed[0].record)) await take(listed.shift());
  },
});

/** What another client wrote there is no record of a manifest: it names no offset, and so counts for nobody. */
function parsed(value) {
  try {
    return { ...JSON.parse(value) };
  } catch {
    return {};
  }
}

/** The rule of what counts; docs/topics-and-envelope.md explains it. */
function counts(offset, { kind, incarnation, epoch, at, batch }) {
  if (counted.incarnation !== null && incarnation !== counted.incarnation) return false;
  if (String(at) !== String(offset)) return false;
  if (kind !== 'epoch' && epoch !== counted.epoch) return false;
  return kind !== 'batch' || BigInt(batch) > counted.batch;
}

async function take({ offset, record }) {
  if (counts(offset, record)) {
    if (record.kind === 'epoch') {
      counted.incarnation = record.incarnation;
      counted.epoch = record.epoch;
      open = []; // parts of an unfinished transaction count only within one epoch: they will be sent again
    } else if (record.kind === 'batch') {
      counted.batch = BigInt(record.batch);
      const events = [...open, ...(await eventsOf(record))];
      open = record.open ? events : [];
      if (!record.open) printTransactions(events);
    }
  }
  if (offset + 1n === end) setImmediate(() => consumer.disconnect());
}

/** Whether all that the batch lists was read. A record that does not count may list what never comes. */
function isThere(record) {
  if (record.kind !== 'batch' || !counts(BigInt(record.at), record)) return true;
  return record.segments.every(({ topic, partition, offset, count }) => {
    const last = heldOf(topic, partition).at(-1);
    return last !== undefined && last.offset >= BigInt(offset) + BigInt(count) - 1n;
  });
}

async function eventsOf({ segments, first, last }) {
  const events = [];
  for (const { topic, partition, offset, count } of segments) {
    const records = heldOf(topic, partition);
    const start = records.findIndex((each) => each.offset === BigInt(offset));
    if (start < 0) throw new Error(`${topic}/${partition} does not hold offset ${offset}`);
    for (const { value } of records.slice(start, start + count)) events.push(await registry.decode(value));
    records.splice(0, start + count); // what lies before the segment is left over from a failed attempt
    records.resume?.();
  }
  events.sort((one, other) => (one.source.position < other.source.position ? -1 : 1));
  const isDense = events.every(({ source }, index) => source.position === BigInt(first) + BigInt(index));
  if (!isDense || events.at(-1).source.position !== BigInt(last))
    throw new Error('a batch is not what the manifest says');
  return events;
}

function printTransactions(events) {
  const transactions = new Map();
  for (const event of events) {
    const { id } = event.transaction;
    transactions.set(id, [...(transactions.get(id) ?? []), event]);
  }
  for (const [transaction, changes] of transactions) {
    const printed = changes.map(
      ({ op, before, after, truncate, source: { schema, table, position, unchanged, moved } }) => {
        return { table: `${schema}.${table}`, op, before, after, truncate, position, unchanged, moved };
      },
    );
    const text = JSON.stringify(
      { transaction, commit_lsn: changes[0].source.commit_lsn, changes: printed },
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    );
    process.stdout.write(`${text}\n`);
  }
}

function heldOf(topic, partition) {
  const place = `${topic}/${partition}`;
  if (!held.has(place)) held.set(place, []);
  return held.get(place);
}

async function manifestEnd() {
  const admin = kafka.admin();
  await admin.connect();
  const [{ high }] = await admin.fetchTopicOffsets(manifest);
  await admin.disconnect();
  return BigInt(high);
}
