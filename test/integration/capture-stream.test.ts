import { expect, test } from 'vitest';
import { caughtUp, confirmedLsn, Ledger, manifestOf, publishedLsn, startCapture } from '../fault/capture-scenario.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { lsnOf } from '../support/manifest-log.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';

async function walEnd(ctx: TestContext): Promise<bigint> {
  return lsnOf((await ctx.source.value('SELECT pg_current_wal_flush_lsn()')) ?? '');
}

test('WAL that holds nothing of the task is acknowledged too, and only after a heartbeat record carries it', async () => {
  await using ctx = await testContext();
  await Ledger.create(ctx);
  await ctx.source.query('CREATE TABLE elsewhere (a int)');
  await using capture = startCapture(ctx, { args: ['--exclude-table', 'public.elsewhere'] });
  await capture.wrote(/streaming/);
  await ctx.source.query('INSERT INTO elsewhere SELECT generate_series(1, 10000)');
  const end = await walEnd(ctx);
  await eventually(async () => (await confirmedLsn(ctx)) >= end, {
    what: 'the acknowledgement of WAL of other tables',
  });
  expect(await publishedLsn(ctx)).toBeGreaterThanOrEqual(end);
  const { counted } = await manifestOf(ctx);
  expect(counted.some(({ kind }) => kind === 'heartbeat')).toBe(true);
  expect(counted.some(({ kind }) => kind === 'batch')).toBe(false);
});

test('rows of many megabytes, and updates that leave them unchanged', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE wide (id int PRIMARY KEY, small int, big text)');
  await ctx.source.query('ALTER TABLE wide ALTER big SET STORAGE EXTERNAL');
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  await ctx.source.query('INSERT INTO wide SELECT i, 0, repeat(chr(65 + i), 20000000) FROM generate_series(1, 4) AS i');
  await ctx.source.query('UPDATE wide SET small = small + 1');
  await ctx.source.query('UPDATE wide SET id = id + 10');
  await caughtUp(ctx);
  const report = await expectSoundTopics({ brokers: ctx.brokers, registry: ctx.registry, task: ctx.task });
  // A key change is two events: the moved delete, and the update.
  expect({ events: report.events, transactions: report.transactions }).toEqual({ events: 4 + 4 + 8, transactions: 3 });
});

test.each(['full', 'schema,full', 'schema'])(
  'types %s: capture ends by itself and leaves nothing at the source',
  async (types) => {
    await using ctx = await testContext();
    const ledger = await Ledger.create(ctx);
    await ledger.write(1_000);
    await using capture = startCapture(ctx, { types });
    expect(await capture.exit()).toEqual({ code: 0, signal: null });
    const report = await expectSoundTopics({ brokers: ctx.brokers, registry: ctx.registry, task: ctx.task });
    expect(report.rows).toBe(types.includes('full') ? 1_000 : 0);
    const { counted } = await manifestOf(ctx);
    expect(counted.filter(({ kind }) => kind === 'schema')).toHaveLength(types.includes('schema') ? 1 : 0);
    expect(
      await ctx.source.query(
        'SELECT pubname FROM pg_publication UNION ALL SELECT slot_name FROM pg_replication_slots WHERE database = current_database()',
      ),
    ).toEqual([]);
    await using again = startCapture(ctx, { types });
    expect(await again.exit()).toEqual({ code: 0, signal: null });
    expect((await expectSoundTopics({ brokers: ctx.brokers, registry: ctx.registry, task: ctx.task })).rows).toBe(
      report.rows,
    );
  },
);

test('a table without a key gets REPLICA IDENTITY FULL when the task says so', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE keyless (a int, b text)');
  await using capture = startCapture(ctx, { args: ['--replica-identity', 'full'] });
  await capture.wrote(/streaming/);
  await ctx.source.query(
    "INSERT INTO keyless VALUES (1, 'x'), (1, 'x'); UPDATE keyless SET b = 'y'; DELETE FROM keyless",
  );
  await caughtUp(ctx);
  const report = await expectSoundTopics({ brokers: ctx.brokers, registry: ctx.registry, task: ctx.task });
  expect(report.events).toBe(6);
  const identity = "SELECT relreplident FROM pg_class WHERE relname = 'keyless'";
  expect(await ctx.source.value(identity)).toBe('f');
});
