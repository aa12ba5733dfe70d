import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { expectError, jsonOf, runCommand, startCommand, taskOptions } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';
import { sluice } from '../support/processes.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/** The whole way of a task through its commands, while clients write. */
test('migrate, status, fence, compare, cutover, release', async () => {
  await using ctx = await testContext();
  await createWorkloadTables(ctx.source, 2_000);
  await ctx.source.query(`
    CREATE TABLE ticket (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
    CREATE TABLE visit (page text, at timestamptz DEFAULT now());
    INSERT INTO ticket (note) SELECT 'note ' || n FROM generate_series(1, 100) AS n`);
  await using load = new Workload(ctx.source.url, { seed: 7, transactionsPerSecond: 20 });
  await using migrate = startCommand(ctx, 'migrate', ['--replica-identity', 'full']);
  await streaming(ctx);

  const status = await jsonOf(ctx, 'status');
  expect(status).toMatchObject({ task: ctx.task, phase: 'incremental data migration', errors: [], unavailable: [] });
  expect(status['slot']).toMatchObject({ active: true });
  expect((await runCommand(ctx, 'status')).stdout).toMatch(/^phase +incremental data migration$/m);

  await load.progress(20);
  expect(await jsonOf(ctx, 'fence')).toMatchObject({ task: ctx.task });
  expect(await jsonOf(ctx, 'fence', { args: ['--compare'] })).toMatchObject({ equal: true });
  await differenceIsFound(ctx);
  await forgottenHoldIsTakenBack(ctx);

  await load.stop();
  const cutover = await jsonOf(ctx, 'cutover');
  expect(cutover).toMatchObject({ done: true });
  expect(await migrate.exit(), migrate.output).toEqual({ code: 0, signal: null });
  expect(migrate.stdout).toMatch(/cut over after/);
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  await destinationIsLive(ctx);

  expect(await jsonOf(ctx, 'cutover')).toMatchObject({ done: false });
  await using again = startCommand(ctx, 'migrate');
  await expectError(again, { code: 'DESTINATION_CUT_OVER', exit: 1 });
  await nothingIsLeft(ctx);
});

async function streaming(ctx: TestContext): Promise<void> {
  await eventually(async () => {
    const phase = await ctx.destination.value('SELECT phase FROM sluice.sink');
    return phase === 'incremental data migration';
  });
}

/** Rows changed at the destination alone are named; put back, the ends are equal again. */
async function differenceIsFound(ctx: TestContext): Promise<void> {
  await ctx.destination.query(`SET session_replication_role = replica; UPDATE ticket SET note = note || ' ' WHERE id = 7;
    DELETE FROM ticket WHERE id = 9; INSERT INTO ticket (id, note) OVERRIDING SYSTEM VALUE VALUES (999, 'x')`);
  const found = await jsonOf(ctx, 'fence', { args: ['--compare'], code: 3 });
  const different = (found['tables'] as { name: string; equal: boolean }[]).filter((table) => !table.equal);
  expect(different).toHaveLength(1);
  expect(different[0]).toMatchObject({
    name: 'ticket',
    missing: 1,
    extra: 1,
    different: 1,
    examples: [
      { kind: 'different', key: '7' },
      { kind: 'missing', key: '9' },
      { kind: 'extra', key: '999' },
    ],
  });
  await ctx.destination.query(`UPDATE ticket SET note = rtrim(note) WHERE id = 7; DELETE FROM ticket WHERE id = 999;
    INSERT INTO ticket (id, note) OVERRIDING SYSTEM VALUE VALUES (9, 'note 9')`);
  expect(await jsonOf(ctx, 'fence', { args: ['--compare'] })).toMatchObject({ equal: true });
}

/** As a comparison that was killed leaves it behind: the sink stands still until migrate sweeps it away. */
async function forgottenHoldIsTakenBack(ctx: TestContext): Promise<void> {
  await ctx.destination.query(
    `INSERT INTO sluice.request (task, sink, kind, state) VALUES ($1, 'main', 'hold', 'requested')`,
    [ctx.task],
  );
  await eventually(async () => (await ctx.destination.value('SELECT count(*) FROM sluice.request')) === '0');
  await runCommand(ctx, 'fence');
}

async function destinationIsLive(ctx: TestContext): Promise<void> {
  const next = await ctx.destination.value(`INSERT INTO ticket (note) VALUES ('live') RETURNING id`);
  expect(next).toBe('101');
  const identity = await ctx.destination.value(
    `SELECT attidentity FROM pg_attribute WHERE attrelid = 'public.ticket'::regclass AND attname = 'id'`,
  );
  expect(identity).toBe('a');
  const foreignKeys = `SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated`;
  expect(await ctx.destination.value(foreignKeys)).toBe(await ctx.source.value(foreignKeys));
}

async function nothingIsLeft(ctx: TestContext): Promise<void> {
  const identity = `SELECT relreplident FROM pg_class WHERE oid = 'public.visit'::regclass`;
  expect(await ctx.source.value(identity)).toBe('f');
  const released = await jsonOf(ctx, 'release', { args: ['--topics', '--bookkeeping'] });
  expect(released).toMatchObject({ source: { replicaIdentities: ['public.visit'] }, bookkeeping: { schema: true } });
  expect(await ctx.source.value(identity)).toBe('d');
  const objects =
    'SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())';
  expect(await ctx.source.value(objects)).toBe('0');
  expect(await ctx.destination.value(`SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice'`)).toBe('0');
  const again = await jsonOf(ctx, 'release', { args: ['--topics', '--bookkeeping'] });
  expect(again).toMatchObject({
    source: { slot: null, publication: null, replicaIdentities: [] },
    topics: { topics: [] },
  });
  await using unknown = sluice(['status', ...taskOptions(ctx)]);
  await expectError(unknown, { code: 'TASK_NOT_FOUND', exit: 2 });
}
