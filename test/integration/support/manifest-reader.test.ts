import { crc32c } from '@node-rs/crc32';
import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import type { ChangeEvent, TableShape } from '../../../shared/envelope/change-event.ts';
import { openCodec } from '../../../shared/envelope/codec.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';
import { type TestContext, testContext } from '../../support/context.ts';
import { eventually } from '../../support/eventually.ts';
import { expectSoundTopics, readTask } from '../../support/manifest-reader.ts';
import { encodeEvent } from '../../support/outgoing-events.ts';

const shape: TableShape = {
  schema: 'shop',
  name: 'seats',
  oid: 4711,
  identity: 'default',
  columns: [{ name: 'id', typeOid: 23, typmod: -1, type: 'integer', key: true }],
};
const table = { schema: 'shop', name: 'seats' };

interface PlannedEvent {
  epoch: 'A' | 'B';
  partition: number;
  id: number;
  position: number;
  xid: number;
  ordinal: number;
}

/** The two partitions in order; `offset` is the place in its partition. */
const plannedEvents = (): PlannedEvent[] => [
  { epoch: 'A', partition: 0, id: 1, position: 1, xid: 10, ordinal: 1 },
  { epoch: 'A', partition: 1, id: 2, position: 2, xid: 10, ordinal: 2 },
  { epoch: 'A', partition: 0, id: 1, position: 3, xid: 11, ordinal: 1 },
  { epoch: 'A', partition: 0, id: 3, position: 4, xid: 12, ordinal: 1 }, // a part, voided by the next epoch
  { epoch: 'A', partition: 0, id: 3, position: 5, xid: 12, ordinal: 2 }, // left over: never listed
  { epoch: 'B', partition: 0, id: 3, position: 4, xid: 12, ordinal: 1 },
  { epoch: 'B', partition: 0, id: 3, position: 5, xid: 12, ordinal: 2 },
];

type Fields = Record<string, unknown>;
type Segments = (partition: number, offset: number, count: number) => Fields;

const commit = (xid: number) => ({ xid, commitLsn: `0/${xid}0`, endLsn: `0/${xid}8`, commitTime: '0' });

/** What the manifest says: sound, with a voided part, a late record of the old epoch and a doubled batch. */
const plannedManifest = (segment: Segments, chunk: Fields): Fields[] => [
  { kind: 'epoch', epoch: 'A', lsn: '0/10' },
  { kind: 'reload', epoch: 'A', lsn: '0/10', table },
  { kind: 'chunks', epoch: 'A', lsn: '0/10', table, generation: '1', chunks: 1, rows: '2', segments: [chunk] },
  { kind: 'read', epoch: 'A', lsn: '0/10', table, generation: '1', chunks: 1, rows: '2' },
  {
    ...{ kind: 'batch', epoch: 'A', lsn: '0/118', batch: '1', first: '1', last: '3', transactions: 2 },
    ...{ complete: commit(11), open: null, closes: null, segments: [segment(0, 0, 2), segment(1, 0, 1)] },
  },
  {
    ...{ kind: 'batch', epoch: 'A', lsn: '0/118', batch: '2', first: '4', last: '4', transactions: 0 },
    ...{ complete: null, open: { xid: 12 }, closes: null, segments: [segment(0, 2, 1)] },
  },
  { kind: 'epoch', epoch: 'B', lsn: '0/118' },
  { kind: 'heartbeat', epoch: 'A', lsn: '0/999' },
  {
    ...{ kind: 'batch', epoch: 'B', lsn: '0/128', batch: '3', first: '4', last: '5', transactions: 1 },
    ...{ complete: commit(12), open: null, closes: null, segments: [segment(0, 4, 2)] },
  },
  {
    ...{ kind: 'batch', epoch: 'B', lsn: '0/128', batch: '3', first: '6', last: '6', transactions: 1 },
    ...{ complete: commit(13), open: null, closes: null, segments: [] },
  },
  { kind: 'heartbeat', epoch: 'B', lsn: '0/200' },
];

interface Breakage {
  events?: (events: PlannedEvent[]) => void;
  manifest?: (records: Fields[]) => void;
  chunk?: string;
}

async function writeTask(ctx: TestContext, breakage: Breakage = {}): Promise<void> {
  const { task, brokers } = ctx;
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const topic = `${task}.shop.seats`;
  await admin.createTopics({
    waitForLeaders: false,
    topics: [
      { topic, numPartitions: 2 },
      { topic: `${task}.snapshot`, numPartitions: 1 },
      { topic: `${task}.manifest`, numPartitions: 1 },
    ],
  });
  await eventually(() => admin.fetchTopicMetadata({ topics: [topic, `${task}.snapshot`, `${task}.manifest`] }));
  await admin.disconnect();

  const events = plannedEvents();
  breakage.events?.(events);
  const values = await Promise.all(events.map((event) => encode(event, ctx)));
  const records = events.map(({ partition, id }, index) => ({
    partition,
    key: `["${id}"]`,
    value: values[index] ?? Buffer.alloc(0),
  }));
  const segment: Segments = (partition, offset, count) => {
    const listed = records.filter((record) => record.partition === partition).slice(offset, offset + count);
    const crc = listed.reduce((sum, { key, value }) => crc32c(value, crc32c(key, sum)), 0);
    return { topic, partition, offset: String(offset), count, crc32c: crc };
  };
  const rows = Buffer.from(breakage.chunk ?? '1\n2\n');
  const sum = crc32c(rows, crc32c('shop.seats'));
  const chunk = { topic: `${task}.snapshot`, partition: 0, offset: '0', count: 1, crc32c: sum };
  const header = { incarnation: 'I', epoch: 'A', ...table, generation: '1', chunk: 0, rows: 2, columns: ['id'] };
  const manifest = plannedManifest(segment, chunk).map((record, offset) => ({
    ...{ incarnation: 'I', at: String(offset) },
    ...record,
  }));
  breakage.manifest?.(manifest);

  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: records });
  await producer.send({
    topic: `${task}.snapshot`,
    messages: [{ key: 'shop.seats', value: rows, headers: { 'sluice-chunk': JSON.stringify(header) } }],
  });
  const messages = manifest.map((record) => ({ value: JSON.stringify(record) }));
  await producer.send({ topic: `${task}.manifest`, messages });
  await producer.disconnect();
}

async function encode({ epoch, id, position, xid, ordinal }: PlannedEvent, ctx: TestContext): Promise<Buffer> {
  const origin = { task: ctx.task, incarnation: 'I', epoch, database: 'd', timeline: 1 };
  const codec = openCodec({ url: ctx.registry }, origin);
  const event: ChangeEvent = {
    ...{ shape, op: 'c', before: null, after: [String(id)] },
    ...{ lsn: 1n as Lsn, position: BigInt(position), ordinal: BigInt(ordinal) },
    ...{ totalOrder: BigInt(ordinal), tableOrder: BigInt(ordinal) },
    transaction: { xid, commitLsn: BigInt(`0x${xid}0`) as Lsn, commitTime: 0n },
  };
  return encodeEvent(await codec.encoder(shape, `${ctx.task}.shop.seats`), event);
}

test('a sound task is sound: voided parts, late records and left-over events count for nobody', async () => {
  await using ctx = await testContext();
  await writeTask(ctx);
  const { listed, ...report } = await expectSoundTopics(ctx);
  expect(listed.map(({ event }) => event.source.position)).toEqual([1n, 2n, 3n, 4n, 5n]);
  expect(report).toEqual({
    ...{ epochs: 2, batches: 3, voidedBatches: 1, events: 5, lastPosition: 5n, transactions: 3 },
    ...{ chunks: 1, rows: 2, leftOver: 1, ignoredManifestRecords: 2, problems: [] },
  });
});

const inBatch = (index: number, change: (batch: Fields, segments: Fields[]) => void): Breakage => ({
  manifest: (records) => {
    const record = records[index] ?? {};
    change(record, record['segments'] as Fields[]);
  },
});
const inEvent = (index: number, change: Partial<PlannedEvent>): Breakage => ({
  events: (events) => Object.assign(events[index] ?? {}, change),
});

test.each<[string, Breakage, RegExp]>([
  ['a batch left out', inBatch(8, (batch) => Object.assign(batch, { batch: '4' })), /batch 4 after 2/],
  ['a position left out', inBatch(8, (batch) => Object.assign(batch, { first: '5' })), /position 5 after 3/],
  ['a segment one too long', inBatch(4, (_, [first]) => Object.assign(first ?? {}, { count: 3 })), /other checksum/],
  ['a segment past the end', inBatch(8, (_, [first]) => Object.assign(first ?? {}, { count: 3 })), /2 of 3 records/],
  ['a segment one too short', inBatch(8, (_, [first]) => Object.assign(first ?? {}, { count: 1 })), /not dense/],
  [
    'a segment inside another',
    inBatch(8, (_, [first]) => Object.assign(first ?? {}, { offset: '2' })),
    /inside an earlier/,
  ],
  ['a segment not listed', inBatch(4, (_, segments) => segments.pop()), /not dense/],
  ['an LSN that goes back', inBatch(8, (batch) => Object.assign(batch, { lsn: '0/10' })), /lower than one before/],
  [
    'an open transaction not ended',
    inBatch(8, (batch) => Object.assign(batch, { complete: null })),
    /neither open nor/,
  ],
  ['an event of another epoch', inEvent(0, { epoch: 'B' }), /of another epoch/],
  ['an event doubled', inEvent(6, { position: 4 }), /position 4 after 4/],
  ['a transaction torn', inEvent(1, { xid: 11 }), /does not follow|stands twice/],
  ['a transaction again', inEvent(5, { xid: 10 }), /transaction 10@0\/100 stands twice/],
  ['an event of a transaction missing', inEvent(6, { ordinal: 3 }), /total order does not follow 1/],
  ['a row in two partitions', inEvent(1, { id: 1 }), /in partitions/],
  ['a chunk with a row less', { chunk: '1\n' }, /1 rows, the header says 2/],
  ['a read with fewer chunks than it says', inBatch(3, (read) => Object.assign(read, { chunks: 2 })), /1 chunks of 2/],
])('sees %s', async (_what, breakage, problem) => {
  await using ctx = await testContext();
  await writeTask(ctx, breakage);
  const { problems } = await readTask(ctx);
  expect(problems.join('\n')).toMatch(problem);
  await expect(expectSoundTopics(ctx)).rejects.toThrow('not sound');
});
