import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { Ledger, manifestOf, prepareSlot, slotOf, startCapture } from '../fault/capture-scenario.ts';
import { type TestContext, testContext } from '../support/context.ts';

/** A task that has published something; then something is done to it behind Sluice's back. */
async function publishedTask(ctx: TestContext): Promise<Ledger> {
  const ledger = await Ledger.create(ctx);
  await prepareSlot(ctx);
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  await ledger.writeMany(3);
  await ledger.expectPublishedOnce();
  capture.signal('SIGTERM');
  expect((await capture.exit()).code).toBe(0);
  return ledger;
}

async function expectStop(ctx: TestContext, code: string, says: RegExp, args: readonly string[] = []): Promise<void> {
  await using capture = startCapture(ctx, { args });
  expect((await capture.exit()).code).not.toBe(0);
  expect(capture.stderr).toMatch(new RegExp(`^error ${code}: .*${says.source}`, 'm'));
  expect(capture.stderr).not.toMatch(/^\s+at /m);
}

async function withAdmin(ctx: TestContext, work: (admin: kafkajs.Admin) => Promise<unknown>): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...ctx.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** It never guesses: where data is missing, or may be, capture stops and appends no epoch. */
describe('capture refuses to go on', () => {
  test('when its slot is gone', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    const before = (await manifestOf(ctx)).epochs;
    await ctx.source.query('SELECT pg_drop_replication_slot($1)', [slotOf(ctx)]);
    await expectStop(ctx, 'SOURCE_SLOT_MISSING', /is gone/);
    expect((await manifestOf(ctx)).epochs).toBe(before);
  });

  test('when somebody moved its slot', async () => {
    await using ctx = await testContext();
    const ledger = await publishedTask(ctx);
    await ledger.writeMany(3);
    const slot = slotOf(ctx);
    const take = `SELECT count(*) FROM pg_logical_slot_get_binary_changes($1::name, NULL, NULL, 'proto_version', '1', 'publication_names', $1::text)`;
    await ctx.source.query(take, [slot]);
    await expectStop(ctx, 'SOURCE_SLOT_AHEAD', /the manifest reaches/);
  });

  test('when its publication is gone, or lists something else', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await ctx.source.query('CREATE TABLE other (a int PRIMARY KEY)');
    await ctx.source.query(`ALTER PUBLICATION ${slotOf(ctx)} ADD TABLE other`);
    await expectStop(ctx, 'SOURCE_PUBLICATION_CHANGED', /lists 2 tables/);
    await ctx.source.query(`DROP PUBLICATION ${slotOf(ctx)}`);
    await expectStop(ctx, 'SOURCE_PUBLICATION_CHANGED', /is gone/);
  });

  test('when a table was changed meanwhile', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await ctx.source.query('ALTER TABLE ledger ADD COLUMN more int');
    await expectStop(ctx, 'SOURCE_TABLE_CHANGED', /public\.ledger/);
  });

  test('under another definition', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await expectStop(ctx, 'TASK_DEFINITION_CHANGED', /another definition/, ['--include-table', 'public.ledger']);
  });

  test('when the manifest topic was deleted', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await withAdmin(ctx, (admin) => admin.deleteTopics({ topics: [`${ctx.task}.manifest`] }));
    await expectStop(ctx, 'SOURCE_OBJECTS_WITHOUT_MANIFEST', /exists, the manifest knows nothing of it/);
  });

  test('when the topic of a table was deleted', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await withAdmin(ctx, (admin) => admin.deleteTopics({ topics: [`${ctx.task}.public.ledger`] }));
    await expectStop(ctx, 'KAFKA_RECORDS_GONE', /ledger/);
  });

  test('when a selected table changes while it streams: what came before is published, and status knows why', async () => {
    await using ctx = await testContext();
    const ledger = await publishedTask(ctx);
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await ledger.writeMany(3);
    await ctx.source.query(
      'ALTER TABLE ledger ADD COLUMN more int; INSERT INTO ledger (transaction, more) VALUES (0, 1)',
    );
    expect((await capture.exit()).code).toBe(65);
    expect(capture.stderr).toMatch(/^error SOURCE_TABLE_CHANGED: table public\.ledger: has 4 columns, it had 3/m);
    const { counted } = await manifestOf(ctx);
    expect(counted.at(-1)).toMatchObject({ kind: 'stopped', code: 'SOURCE_TABLE_CHANGED' });
    const transactions = counted.filter(({ kind }) => kind === 'batch').map((batch) => batch.transactions ?? 0);
    expect(transactions.reduce((sum, count) => sum + count, 0)).toBe(ledger.transactions);
  });
});
