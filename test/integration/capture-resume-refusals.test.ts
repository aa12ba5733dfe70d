import { describe, expect, test } from 'vitest';
import { expectStreamStops, Ledger, manifestOf, prepareSlot, slotOf, startCapture } from '../fault/capture-scenario.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { withAdmin } from '../support/kafka-admin.ts';

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

/** It never guesses: where data is missing, or may be, capture stops and appends no epoch. */
describe('capture refuses to go on', () => {
  test('when its slot is gone', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    const before = (await manifestOf(ctx)).epochs;
    await ctx.source.query('SELECT pg_drop_replication_slot($1)', [slotOf(ctx)]);
    await expectStreamStops(ctx, 'SOURCE_SLOT_MISSING', /is gone; published up to position \d+, LSN/);
    expect((await manifestOf(ctx)).epochs).toBe(before);
  });

  test('when somebody moved its slot', async () => {
    await using ctx = await testContext();
    const ledger = await publishedTask(ctx);
    await ledger.writeMany(3);
    const slot = slotOf(ctx);
    const take = `SELECT count(*) FROM pg_logical_slot_get_binary_changes($1::name, NULL, NULL, 'proto_version', '1', 'publication_names', $1::text)`;
    await ctx.source.query(take, [slot]);
    await expectStreamStops(ctx, 'SOURCE_SLOT_AHEAD', /the manifest reaches/);
  });

  test('when its publication is gone, or lists something else', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await ctx.source.query('CREATE TABLE other (a int PRIMARY KEY)');
    await ctx.source.query(`ALTER PUBLICATION ${slotOf(ctx)} ADD TABLE other`);
    await expectStreamStops(ctx, 'SOURCE_PUBLICATION_CHANGED', /lists 2 tables/);
    await ctx.source.query(`DROP PUBLICATION ${slotOf(ctx)}`);
    await expectStreamStops(ctx, 'SOURCE_PUBLICATION_CHANGED', /is gone/);
  });

  test('when a table was changed meanwhile', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await ctx.source.query('ALTER TABLE ledger ADD COLUMN more int');
    await expectStreamStops(ctx, 'SOURCE_TABLE_CHANGED', /public\.ledger/);
  });

  test('under another definition', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await expectStreamStops(ctx, 'TASK_DEFINITION_CHANGED', /another definition/, ['--include-table', 'public.ledger']);
  });

  test('when the manifest topic was deleted', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await withAdmin(ctx, (admin) => admin.deleteTopics({ topics: [`${ctx.task}.manifest`] }));
    await expectStreamStops(ctx, 'SOURCE_OBJECTS_WITHOUT_MANIFEST', /exists, the manifest knows nothing of it/);
  });

  test('when the topic of a table was deleted', async () => {
    await using ctx = await testContext();
    await publishedTask(ctx);
    await withAdmin(ctx, (admin) => admin.deleteTopics({ topics: [`${ctx.task}.public.ledger`] }));
    await expectStreamStops(ctx, 'KAFKA_TOPIC_MISSING', /ledger is gone; .* up to offset \d+, for positions up to \d+/);
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
