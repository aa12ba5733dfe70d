import kafkajs from 'kafkajs';
import { beforeAll, describe, expect, test } from 'vitest';
import { caughtUp, startCapture } from '../fault/capture-scenario.ts';
import { EventDecoder, type WireEvent } from '../support/avro-events.ts';
import { testContext } from '../support/context.ts';
import { taskFile } from '../support/task-file.ts';
import { readTopics } from '../support/topic-records.ts';

const PARTITIONS = 4;

const tables = `
  CREATE TABLE d (id int PRIMARY KEY, n int, big text STORAGE EXTERNAL);
  CREATE TABLE f (id int PRIMARY KEY, n int, big text STORAGE EXTERNAL);
  ALTER TABLE f REPLICA IDENTITY FULL;
  CREATE TABLE i (id int PRIMARY KEY, n int, big text STORAGE EXTERNAL, code text NOT NULL, part bool NOT NULL, UNIQUE (part, code));
  ALTER TABLE i REPLICA IDENTITY USING INDEX i_part_code_key;
  CREATE TABLE k (n int, note text, big text STORAGE EXTERNAL);
  ALTER TABLE k REPLICA IDENTITY FULL`;

const big = `repeat('b', 9000)`;
const none = '__debezium_unavailable_value';

/** Statements of one transaction, and what a reader of the topics finds of it, in order of position. */
const transactions: readonly (readonly [sql: string, ...events: string[]])[] = [
  [
    `INSERT INTO d VALUES (1, 10, ${big}); UPDATE d SET n = 11; UPDATE d SET id = 2; UPDATE d SET id = 3, big = NULL; DELETE FROM d`,
    'd c 1 ["1"] after id=1 n=10 big=BIG',
    `d u 2 ["1"] after id=1 n=11 big=${none} unchanged big`,
    'd d 3 ["1"] before id=1 n=null big=null of id moved',
    `d u 3 ["2"] before id=1 n=null big=null of id after id=2 n=11 big=${none} unchanged big`,
    'd d 4 ["2"] before id=2 n=null big=null of id moved',
    'd u 4 ["3"] before id=2 n=null big=null of id after id=3 n=11 big=null',
    'd d 5 ["3"] before id=3 n=null big=null of id',
  ],
  [
    `INSERT INTO f VALUES (1, NULL, ${big}); UPDATE f SET n = 11; UPDATE f SET id = 2; DELETE FROM f`,
    'f c 1 ["1"] after id=1 n=null big=BIG',
    'f u 2 ["1"] before id=1 n=null big=BIG after id=1 n=11 big=BIG unchanged big',
    'f d 3 ["1"] before id=1 n=11 big=BIG moved',
    'f u 3 ["2"] before id=1 n=11 big=BIG after id=2 n=11 big=BIG unchanged big',
    'f d 4 ["2"] before id=2 n=11 big=BIG',
  ],
  [
    `INSERT INTO i VALUES (1, 1, ${big}, 'a', true); UPDATE i SET id = 2; UPDATE i SET code = 'b'; UPDATE i SET part = false, n = NULL; DELETE FROM i`,
    'i c 1 ["a","t"] after id=1 n=1 big=BIG code=a part=true',
    `i u 2 ["a","t"] after id=2 n=1 big=${none} code=a part=true unchanged big`,
    'i d 3 ["a","t"] before id=null n=null big=null code=a part=true of code part moved',
    `i u 3 ["b","t"] before id=null n=null big=null code=a part=true of code part after id=2 n=1 big=${none} code=b part=true unchanged big`,
    'i d 4 ["b","t"] before id=null n=null big=null code=b part=true of code part moved',
    `i u 4 ["b","f"] before id=null n=null big=null code=b part=true of code part after id=2 n=null big=${none} code=b part=false unchanged big`,
    'i d 5 ["b","f"] before id=null n=null big=null code=b part=false of code part',
  ],
  [
    `INSERT INTO k VALUES (1, NULL, ${big}), (1, NULL, ${big}); UPDATE k SET note = 'x' WHERE ctid = (SELECT min(ctid) FROM k); DELETE FROM k WHERE note IS NULL`,
    'k c 1 null after n=1 note=null big=BIG',
    'k c 2 null after n=1 note=null big=BIG',
    'k u 3 null before n=1 note=null big=BIG after n=1 note=x big=BIG unchanged big',
    'k d 4 null before n=1 note=null big=BIG',
  ],
  [
    `SELECT pg_logical_emit_message(true, 'application', 'x'); TRUNCATE d, k RESTART IDENTITY; INSERT INTO k VALUES (2)`,
    ...['d', 'k'].flatMap((table) =>
      Array<string>(PARTITIONS).fill(`${table} t 2 null truncates public.d public.k restarting`),
    ),
    'k c 3 null after n=2 note=null big=null',
  ],
  [
    `BEGIN; INSERT INTO d VALUES (5); SAVEPOINT s; INSERT INTO d VALUES (6); ROLLBACK TO s; UPDATE d SET n = n; COMMIT`,
    'd c 1 ["5"] after id=5 n=null big=null',
    'd u 2 ["5"] after id=5 n=null big=null',
  ],
];

interface Found {
  readonly partition: number;
  readonly key: string | null;
  readonly event: WireEvent;
}

/** In few words, as above. */
function described({ key, event }: Found): string {
  const { op, before, after, source, truncate } = event;
  const words = [source.table, op, String(source.ordinal), String(key)];
  const row = (values: Readonly<Record<string, unknown>>) =>
    Object.entries(values).map(([name, value]) => `${name}=${String(value) === 'b'.repeat(9_000) ? 'BIG' : value}`);
  if (before) words.push('before', ...row(before));
  if (source.before_columns) words.push('of', ...source.before_columns);
  if (after) words.push('after', ...row(after));
  if (source.unchanged.length > 0) words.push('unchanged', ...source.unchanged);
  if (source.moved) words.push('moved');
  if (truncate) words.push('truncates', ...truncate.tables.map(({ schema, table }) => `${schema}.${table}`));
  if (truncate?.restart_identity) words.push('restarting');
  return words.join(' ');
}

/** Topics read by another client, with schemas from the registry. */
describe('the events of each kind of change under each replica identity', () => {
  const found: Found[] = [];

  beforeAll(async () => {
    await using ctx = await testContext();
    await ctx.source.query(tables);
    const kafka = { partitions: PARTITIONS, brokers: ctx.brokers, registry: { url: ctx.registry } };
    await using capture = startCapture(ctx, { args: ['--task-file', taskFile(ctx, { kafka })] });
    await capture.wrote(/streaming/);
    for (const [sql] of transactions) await ctx.source.query(sql);
    await caughtUp(ctx);
    const decoder = new EventDecoder(ctx.registry);
    const waiting: Promise<unknown>[] = [];
    await readTopics(ctx.brokers, `${ctx.task}.public.`, (_, partition, { key, value }) => {
      waiting.push(
        decoder.decode(value).then((event) => found.push({ partition, key: key?.toString() ?? null, event })),
      );
    });
    await Promise.all(waiting);
    found.sort((one, other) => Number(one.event.source.position - other.event.source.position));
  });

  test('before, after, what did not change, what moved, and what is truncated', () => {
    expect(found.map(described)).toEqual(transactions.flatMap(([, ...events]) => events));
  });

  test('positions are dense, transactions whole, orders dense in the transaction and in its table', () => {
    expect(found.map(({ event }) => event.source.position)).toEqual(found.map((_, index) => BigInt(index + 1)));
    let at = 0;
    for (const [, ...events] of transactions) {
      const own = found.slice(at, at + events.length).map(({ event }) => event);
      at += events.length;
      const { txId, commit_lsn } = own[0]!.source;
      const [high = '', low = ''] = commit_lsn.split('/');
      const id = `${txId}:${(BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)}`;
      expect(own.map(({ transaction }) => transaction?.id)).toEqual(own.map(() => id));
      expect(own.map(({ transaction }) => transaction?.total_order)).toEqual(own.map((_, index) => BigInt(index + 1)));
      for (const table of new Set(own.map(({ source }) => source.table))) {
        const orders = own
          .filter(({ source }) => source.table === table)
          .map((event) => event.transaction?.data_collection_order);
        expect(orders).toEqual(orders.map((_, index) => BigInt(index + 1)));
      }
    }
  });

  test('a row key stands in the partition where any producer would put it, what has none in the first', () => {
    const partitioner = kafkajs.Partitioners.DefaultPartitioner();
    const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
      ...{ partitionId, leader: 1, partitionErrorCode: 0, replicas: [1], isr: [1] },
    }));
    const rows = found.filter(({ event }) => event.op !== 't');
    for (const { partition, key } of rows) {
      const message = { key, value: null };
      expect(partition).toBe(key === null ? 0 : partitioner({ topic: 'any', partitionMetadata, message }));
    }
    expect(new Set(rows.map(({ partition }) => partition)).size).toBeGreaterThan(1);
    const truncated = found.filter(({ event }) => event.op === 't' && event.source.table === 'd');
    expect(truncated.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
  });
});
