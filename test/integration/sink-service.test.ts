import { describe, expect, test } from 'vitest';
import { compareDatabases, expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { applied, expectCaughtUp, fenceAt, startCapture, startSink } from '../support/sink-scenario.ts';
import { taskFile } from '../support/task-file.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

const status = async (ctx: TestContext) => (await ctx.destination.query('SELECT * FROM sluice.sink'))[0]!;

describe('the sink service', () => {
  test('schema, rows, stream; SIGTERM drains with exit code 0, and a new start goes on', async () => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 500);
    await using capture = startCapture(ctx);
    await using load = new Workload(ctx.source.url, { seed: 1, transactionsPerSecond: 80 });
    await using first = startSink(ctx);
    await expectPhase(ctx, 'incremental data migration');
    await load.progress(50);
    first.signal('SIGTERM');
    expect(await first.exit()).toEqual({ code: 0, signal: null });
    await load.progress(50);
    await using second = startSink(ctx);
    await load.stop();
    await expectCaughtUp(ctx, [capture, second]);
    expect(await status(ctx)).toMatchObject({ replica_role: 't', error_code: null });
    const constraints = `SELECT conname, contype, convalidated FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace
      WHERE nspname = 'shop' AND contype <> 'n' ORDER BY 1, 2`;
    expect(await ctx.destination.query(constraints)).toEqual(await ctx.source.query(constraints));
    const indexes = `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'shop' ORDER BY 1`;
    expect(await ctx.destination.query(indexes)).toEqual(await ctx.source.query(indexes));
  });

  test('two sinks on one capture, each at its own pace; one of them takes only some tables', async () => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 300);
    const other = await ctx.anotherDestination();
    const sink = { name: 'some', tables: { include: ['shop.customers', 'shop.doc*', 'shop.log'] } };
    const files = taskFile(ctx, { sink });
    await using capture = startCapture(ctx);
    await using all = startSink(ctx);
    await using load = new Workload(ctx.source.url, { seed: 2, transactionsPerSecond: 80 });
    await load.progress(30);
    await using some = startSink(ctx, { destination: other, args: ['--task-file', files] });
    await load.progress(60);
    await load.stop();
    await expectCaughtUp(ctx, [capture, all]);
    await applied(other, await fenceAt(ctx), { sink: 'some', running: [capture, some] });
    const tables = ['shop.customers', 'shop.documents', 'shop.log'];
    expect(await expectEqualDatabases(ctx.source.url, other.url, { tables })).toBeGreaterThan(300);
    const compared = await compareDatabases(ctx.source.url, other.url);
    expect(compared.filter(({ destination }) => destination).map(({ table }) => table)).toEqual(tables);
  });

  test('an account that may not set the replica role: foreign keys stay absent, and status says so', async () => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 200);
    const role = `plain_${ctx.task.replaceAll('-', '_')}`;
    await ctx.destination.query(`CREATE ROLE ${role} LOGIN PASSWORD 'plain'`);
    ctx.defer(() =>
      ctx.destination.query(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`),
    );
    await ctx.destination.query(`GRANT CREATE ON DATABASE ${ctx.destination.name} TO ${role}`);
    const url = new URL(ctx.destination.url);
    url.username = role;
    url.password = 'plain';
    await using capture = startCapture(ctx, { destinationUrl: url.href });
    await using sink = startSink(ctx, { destinationUrl: url.href });
    await using load = new Workload(ctx.source.url, { seed: 5, transactionsPerSecond: 60 });
    await expectPhase(ctx, 'incremental data migration');
    await load.progress(50);
    await load.stop();
    await expectCaughtUp(ctx, [capture, sink]);
    expect(await status(ctx)).toMatchObject({ replica_role: 'f', error_code: null });
    expect(await ctx.destination.value(`SELECT count(*) FROM pg_constraint WHERE contype = 'f'`)).toBe('0');
    const open = `SELECT count(*) FROM sluice.object WHERE section = 'foreign-keys' AND state = 'pending'`;
    expect(Number(await ctx.destination.value(open))).toBeGreaterThan(0);
  });

  test('without the incremental type the sink ends when everything is in place, and again when started again', async () => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 200);
    await using capture = startCapture(ctx, { types: 'schema,full' });
    for (let run = 0; run < 2; run++) {
      await using sink = startSink(ctx, { types: 'schema,full' });
      expect(await sink.exit(120_000)).toEqual({ code: 0, signal: null });
    }
    expect(await capture.exit()).toEqual({ code: 0, signal: null });
    await expectEqualDatabases(ctx.source.url, ctx.destination.url);
    expect(await status(ctx)).toMatchObject({ phase: 'full data migration', detail: 'complete' });
    expect(
      await ctx.destination.value(`SELECT count(*) FROM sluice.object WHERE state NOT IN ('created', 'existed')`),
    ).toBe('0');
  });

  test('a single transaction of many changes is applied whole', async () => {
    await using ctx = await testContext();
    await ctx.source.query('CREATE TABLE wide (id bigserial PRIMARY KEY, n int, t text)');
    await using capture = startCapture(ctx);
    await using sink = startSink(ctx);
    await capture.wrote(/streaming/, 120_000);
    await ctx.source.query(`BEGIN; INSERT INTO wide (n, t) SELECT g, repeat('x', g % 50) FROM generate_series(1, 60000) g;
      UPDATE wide SET n = -n WHERE id % 3 = 0; DELETE FROM wide WHERE id % 7 = 0; COMMIT`);
    await expectPhase(ctx, 'incremental data migration');
    await expectCaughtUp(ctx, [capture, sink]);
  });

  test.each([
    [
      'a table of the same name',
      'CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)',
      'schema,full,incremental',
      'DESTINATION_OBJECT_EXISTS',
      'orders',
    ],
    ['a missing table', 'SELECT 1', 'full,incremental', 'DESTINATION_TABLE_MISSING', 'customers'],
  ])('refuses %s', async (_, prepare, types, code, name) => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 10);
    await ctx.destination.query(prepare);
    await using _capture = startCapture(ctx, { types });
    await using sink = startSink(ctx, { types });
    expect(await sink.exit(120_000)).toMatchObject({ signal: null });
    expect(sink.stderr).toMatch(new RegExp(`error ${code}: .*${name}.*\nremedy: `));
    expect(sink.stderr).not.toContain('    at ');
    expect(await status(ctx)).toMatchObject({ error_code: code });
    const tables = `SELECT count(*) FROM pg_tables WHERE schemaname = 'shop'`;
    expect(await ctx.destination.value(tables)).toBe(types.startsWith('schema') ? '1' : '0');
  });

  test('refuses rows of somebody else, and a manifest that is another one', async () => {
    await using ctx = await testContext();
    const table = 'CREATE TABLE t (id int PRIMARY KEY)';
    await ctx.source.query(`${table}; INSERT INTO t VALUES (1)`);
    await ctx.destination.query(`${table}; INSERT INTO t VALUES (7)`);
    const types = 'full,incremental';
    await using capture = startCapture(ctx, { types });
    await using full = startSink(ctx, { types });
    await full.exit(120_000);
    expect(full.stderr).toContain('error DESTINATION_TABLE_NOT_EMPTY');
    expect(await ctx.destination.query('SELECT * FROM t')).toEqual([{ id: '7' }]);

    await ctx.destination.query('DELETE FROM t');
    await using sink = startSink(ctx, { types });
    await expectCaughtUp(ctx, [capture, sink]);
    sink.signal('SIGTERM');
    expect(await sink.exit()).toMatchObject({ code: 0 });
    for (const [column, code] of [
      ['incarnation', 'DESTINATION_OTHER_TASK'],
      ['epoch', 'MANIFEST_BROKEN'],
      ['cluster_id', 'DESTINATION_OTHER_TASK'],
    ]) {
      await ctx.destination.query(`CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM sluice.position`);
      await ctx.destination.query(`UPDATE sluice.position SET ${column} = 'other'`);
      await using refused = startSink(ctx, { types });
      expect(await refused.exit()).toMatchObject({ code: 65 });
      expect(refused.stderr).toContain(`error ${code}`);
      await ctx.destination.query(`UPDATE sluice.position p SET ${column} = k.${column} FROM kept k`);
    }
  });
});

async function expectPhase(ctx: TestContext, phase: string): Promise<void> {
  await eventually(async () => (await status(ctx))['phase'] === phase, { what: phase, timeoutMs: 120_000 });
}

/** The same task for a sink of another name, which takes some tables. */
