// The example consumers of docs/examples, on topics that hold left-overs of killed attempts: the one without the
// manifest ends with the rows of the source, the one with it prints every transaction whole, once, in commit order.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { caughtUp, prepareSlot, startCapture } from '../fault/capture-scenario.ts';
import { type TestContext, testContext } from '../support/context.ts';
import type { Row } from '../support/database.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { startProcess } from '../support/processes.ts';

const BIG = 9_007_199_254_740_993n;

interface PrintedChange {
  readonly table: string;
  readonly op: 'c' | 'u' | 'd' | 't';
  readonly before: Row | null;
  readonly after: Row | null;
  readonly unchanged: readonly string[];
  readonly moved: boolean;
  readonly position: string;
}

interface PrintedTransaction {
  readonly transaction: string;
  readonly changes: readonly PrintedChange[];
}

const schema = `
  CREATE TABLE account (id bigint PRIMARY KEY, owner text, photo text STORAGE EXTERNAL);
  CREATE TABLE "Über-weisung" (code text PRIMARY KEY, "1st" bigint REFERENCES account (id) ON UPDATE CASCADE);
  CREATE TABLE transaction_log (xid text PRIMARY KEY, number bigserial)`;

/** Statements of one transaction each; every one logs its transaction id. */
function workload(): string[] {
  const log = 'INSERT INTO transaction_log (xid) SELECT txid_current()';
  const transactions = [
    `INSERT INTO account SELECT ${BIG} + g, 'owner ' || g, repeat(md5(g::text), 100) FROM generate_series(1, 40) g`,
    `INSERT INTO "Über-weisung" SELECT 'c' || g, ${BIG} + g FROM generate_series(1, 40) g; UPDATE account SET owner = owner || ' é'`,
    `UPDATE account SET id = id + 1000 WHERE id % 3 = 0`,
    `UPDATE "Über-weisung" SET code = 'k' || code WHERE code LIKE '%7'; DELETE FROM "Über-weisung" WHERE code LIKE '%3'`,
    `INSERT INTO account SELECT 500000 + g, 'many', 'p' FROM generate_series(1, 6000) g`,
    `UPDATE account SET owner = NULL WHERE id > 505900 AND id < 600000`,
    `DELETE FROM account WHERE id > 500000 AND id < 505000`,
    'TRUNCATE "Über-weisung"',
    `INSERT INTO "Über-weisung" SELECT 'after ' || g, id FROM account, generate_series(1, 2) g WHERE id > 600000 LIMIT 1`,
  ];
  return transactions.map((sql) => `BEGIN; ${sql}; ${log}; COMMIT`);
}

async function runExample(ctx: TestContext, name: string): Promise<string[]> {
  const args = [`docs/examples/${name}`, ctx.brokers.join(','), ctx.registry, ctx.task, '--until-end'];
  await using example = startProcess(process.execPath, args);
  expect(await example.exit(120_000), example.output).toEqual({ code: 0, signal: null });
  return example.stdout.trim().split('\n');
}

/** What the changes make of empty tables: rows by table and key. */
function replay(changes: readonly PrintedChange[]): Map<string, Row> {
  const rows = new Map<string, Row>();
  const keyOf = (table: string, row: Row) =>
    `${table} ${table === 'public.account' ? row['id'] : (row['code'] ?? row['xid'])}`;
  for (const { table, op, before, after, unchanged, moved } of changes) {
    // The update that follows has the old key in `before`, and may leave out values that did not change.
    if (moved) continue;
    if (op === 't') for (const key of rows.keys()) if (key.startsWith(`${table} `)) rows.delete(key);
    if (op === 'd') expect(rows.delete(keyOf(table, before!)), 'the row that a delete names').toBe(true);
    if (!after) continue;
    const key = keyOf(table, after);
    if (op === 'c') expect(rows.has(key), 'a row that is inserted').toBe(false);
    const known = unchanged.length > 0 ? rows.get(before ? keyOf(table, before) : key) : undefined;
    if (before && op === 'u') rows.delete(keyOf(table, before));
    rows.set(key, { ...after, ...Object.fromEntries(unchanged.map((column) => [column, known?.[column] ?? null])) });
  }
  return digested(rows);
}

/** Long values would make a failure unreadable. */
function digested(rows: Map<string, Row>): Map<string, Row> {
  for (const row of rows.values()) {
    if (row['photo']) row['photo'] = createHash('sha256').update(row['photo']).digest('hex');
  }
  return rows;
}

async function rowsOfSource({ source }: TestContext): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  for (const row of await source.query('SELECT id, owner, photo FROM account'))
    rows.set(`public.account ${row['id']}`, row);
  for (const row of await source.query('SELECT code, "1st" AS _x31st FROM "Über-weisung"')) {
    rows.set(`public.Über-weisung ${row['code']}`, row);
  }
  for (const row of await source.query('SELECT xid, number FROM transaction_log')) {
    rows.set(`public.transaction_log ${row['xid']}`, row);
  }
  return digested(rows);
}

test('both read what capture publishes, whatever attempts left behind', async () => {
  await using ctx = await testContext();
  await ctx.source.query(schema);
  await prepareSlot(ctx);
  await using failpoints = new Failpoints('capture.after-events=kill@4');
  await using killed = startCapture(ctx, { env: failpoints.env });
  for (const transaction of workload()) await ctx.source.query(transaction);
  expect(await killed.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  await using _next = startCapture(ctx);
  await caughtUp(ctx);
  const { brokers, registry, task } = ctx;
  expect((await expectSoundTopics({ brokers, registry, task })).leftOver).toBeGreaterThan(0);

  const expected = await rowsOfSource(ctx);
  const whole = (await runExample(ctx, 'follow-manifest.js')).map((line) => JSON.parse(line) as PrintedTransaction);
  const logged = await ctx.source.query('SELECT xid FROM transaction_log ORDER BY number');
  expect(whole.map(({ transaction }) => transaction.split(':')[0])).toEqual(logged.map(({ xid }) => xid));
  const positions = whole.flatMap(({ changes }) => changes.map(({ position }) => Number(position)));
  expect(positions).toEqual(positions.map((_, index) => index + 1));
  expect(replay(whole.flatMap(({ changes }) => changes))).toEqual(expected);

  const printed = (await runExample(ctx, 'print-events.js')).map((line) => JSON.parse(line) as PrintedChange);
  expect(printed).toHaveLength(positions.length);
  expect(replay(printed)).toEqual(expected);
}, 300_000);
