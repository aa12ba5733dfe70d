import { expect, test } from 'vitest';
import { startCapture } from '../fault/capture-scenario.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { taskFile } from '../support/task-file.ts';
import { readTopics } from '../support/topic-records.ts';

/** One clear error with code and remedy, no stack trace, and nothing left behind at the source or in the manifest. */
async function expectRefused(
  ctx: TestContext,
  expected: { code: string; exit: number; says: RegExp },
  args: readonly string[] = [],
): Promise<void> {
  await using capture = startCapture(ctx, { args });
  const { code } = await capture.exit();
  expect(capture.stderr).toMatch(new RegExp(`^error ${expected.code}: `, 'm'));
  expect(capture.stderr).toMatch(expected.says);
  expect(capture.stderr).toMatch(/^remedy: \S/m);
  expect(capture.stderr).not.toMatch(/^\s+at /m);
  expect(code).toBe(expected.exit);
  await expectNothingLeft(ctx);
}

async function expectNothingLeft(ctx: TestContext): Promise<void> {
  const sql = `
    SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) AS slots,
      (SELECT count(*) FROM pg_publication) AS publications,
      (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relreplident = 'f') AS full_identities`;
  expect(await ctx.source.query(sql)).toEqual([{ slots: '0', publications: '0', full_identities: '0' }]);
}

async function manifestRecords(ctx: TestContext): Promise<number> {
  let records = 0;
  await readTopics(ctx.brokers, `${ctx.task}.manifest`, () => {
    records += 1;
  });
  return records;
}

test('a selected table without a usable replica identity', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE keyless (a int)');
  await expectRefused(ctx, { code: 'SOURCE_NO_REPLICA_IDENTITY', exit: 4, says: /public\.keyless/ });
  expect(await manifestRecords(ctx)).toBe(0);
});

test('no table selected', async () => {
  await using ctx = await testContext();
  await expectRefused(ctx, { code: 'CONFIG_INVALID', exit: 78, says: /selects no table/ });
});

test('an account without REPLICATION', async () => {
  await using ctx = await testContext();
  const account = ctx.source.name;
  await ctx.source.query(`CREATE TABLE t (a int PRIMARY KEY); CREATE ROLE ${account} LOGIN PASSWORD 'secret'`);
  ctx.defer(() => ctx.source.query(`DROP OWNED BY ${account}; DROP ROLE ${account}`));
  const source = withAccount(ctx, account);
  await expectRefused(source, { code: 'POSTGRES_PERMISSION_DENIED', exit: 65, says: /replication/i });
});

test('an account that does not own a selected table', async () => {
  await using ctx = await testContext();
  const account = ctx.source.name;
  await ctx.source.query(
    `CREATE TABLE t (a int PRIMARY KEY); CREATE ROLE ${account} LOGIN REPLICATION PASSWORD 'secret'`,
  );
  ctx.defer(() => ctx.source.query(`DROP OWNED BY ${account}; DROP ROLE ${account}`));
  await ctx.source.query(`GRANT CREATE ON DATABASE ${ctx.source.name} TO ${account}`);
  const source = withAccount(ctx, account);
  await expectRefused(source, { code: 'POSTGRES_PERMISSION_DENIED', exit: 65, says: /does not own .*public\.t/ });
  expect(await manifestRecords(ctx)).toBe(0);
});

function withAccount(ctx: TestContext, account: string): TestContext {
  const url = new URL(ctx.source.url);
  url.username = account;
  url.password = 'secret';
  const source = new Proxy(ctx.source, {
    get: (database, name) => {
      if (name === 'url') return url.toString();
      const value = Reflect.get(database, name) as unknown;
      return typeof value === 'function' ? value.bind(database) : value;
    },
  });
  return { ...ctx, source };
}

test('slot creation that waits too long names what it waits for', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (a int PRIMARY KEY)');
  const blocker = await ctx.source.connect();
  ctx.defer(() => blocker.end());
  await blocker.query('BEGIN; INSERT INTO t VALUES (1)');
  const { rows } = await blocker.query<{ pid: string }>('SELECT pg_backend_pid() AS pid');
  const args = ['--task-file', taskFile(ctx, { source: { slotTimeoutSeconds: 1 } })];
  const says = new RegExp(`waited for process ${rows[0]?.pid} `);
  await using capture = startCapture(ctx, { args });
  expect((await capture.exit()).code).toBe(65);
  expect(capture.stderr).toMatch(/^error SOURCE_SLOT_WAIT: /m);
  expect(capture.stderr).toMatch(says);
  await expectNothingLeft(ctx);

  await blocker.query('COMMIT');
  await using again = startCapture(ctx, { args });
  await again.wrote(/streaming/);
});

test('wal_level not logical, and no slot free', async () => {
  await using replica = await ownPostgres({ settings: { wal_level: 'replica' } });
  {
    await using ctx = await testContext({ source: replica.url });
    await ctx.source.query('CREATE TABLE t (a int PRIMARY KEY)');
    await expectRefused(ctx, { code: 'SOURCE_WAL_LEVEL', exit: 4, says: /replica/ });
  }
  await using full = await ownPostgres({ settings: { max_replication_slots: 1 } });
  await using ctx = await testContext({ source: full.url });
  await ctx.source.query("SELECT pg_create_physical_replication_slot('taken')");
  await ctx.source.query('CREATE TABLE t (a int PRIMARY KEY)');
  await expectRefused(ctx, { code: 'SOURCE_NO_SLOT_FREE', exit: 4, says: /all 1 replication slots/ });
});

test.each([
  ['a wrong password', (url: URL) => Object.assign(url, { password: 'wrong' }), 'POSTGRES_AUTH_FAILED', 78],
  ['a missing database', (url: URL) => Object.assign(url, { pathname: '/nowhere' }), 'POSTGRES_DATABASE_MISSING', 78],
  ['a port where nobody listens', (url: URL) => Object.assign(url, { port: '1' }), 'POSTGRES_UNREACHABLE', 69],
] as const)('%s', async (_, change, code, exit) => {
  await using ctx = await testContext();
  const url = change(new URL(ctx.source.url)).toString();
  await using capture = startCapture({ ...ctx, source: Object.assign(Object.create(ctx.source), { url }) });
  expect((await capture.exit()).code).toBe(exit);
  expect(capture.stderr).toMatch(new RegExp(`^error ${code}: source \\(`, 'm'));
  expect(capture.stderr).not.toMatch(/^\s+at /m);
});

test.each([
  ['Kafka', { brokers: ['127.0.0.1:1'] }, 'KAFKA_UNREACHABLE'],
  ['the registry', { registry: 'http://127.0.0.1:1/apis/ccompat/v7' }, 'REGISTRY_UNREACHABLE'],
] as const)('%s cannot be reached', async (_, change, code) => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (a int PRIMARY KEY)');
  await expectRefused({ ...ctx, ...change }, { code, exit: 69, says: /./ });
});
