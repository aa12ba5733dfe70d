import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { expectError, startCommand, taskOptions } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { sluice } from '../support/processes.ts';

/** Bad input gives one clear error, and leaves nothing behind: no slot, no publication, nothing at the destination. */
async function expectRefused(
  ctx: TestContext,
  args: readonly string[],
  expected: { readonly code: string; readonly exit: number; readonly says?: RegExp },
): Promise<void> {
  await using refused = sluice(['migrate', ...args]);
  await expectError(refused, expected);
  expect(
    await ctx.source.query(`SELECT (SELECT count(*) FROM pg_publication) AS publications,
      (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) AS slots`),
  ).toEqual([{ publications: '0', slots: '0' }]);
  expect(await ctx.destination.value(`SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice'`)).toBe('0');
}

/** The task's options with one value replaced. */
function replaced(ctx: TestContext, option: string, value: string): string[] {
  const options = taskOptions(ctx);
  options[options.indexOf(option) + 1] = value;
  return options;
}

function changedUrl(url: string, change: (url: URL) => void): string {
  const changed = new URL(url);
  change(changed);
  return changed.toString();
}

test('wrong password, wrong host, missing database', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  const password = changedUrl(ctx.source.url, (url) => {
    url.password = 'wrong';
  });
  await expectRefused(ctx, replaced(ctx, '--source', password), {
    code: 'POSTGRES_AUTH_FAILED',
    exit: 78,
    says: /source/,
  });
  const host = changedUrl(ctx.destination.url, (url) => {
    url.port = '1';
  });
  await expectRefused(ctx, replaced(ctx, '--destination', host), { code: 'POSTGRES_UNREACHABLE', exit: 69 });
  const database = changedUrl(ctx.destination.url, (url) => {
    url.pathname = '/nowhere';
  });
  const missing = { code: 'POSTGRES_DATABASE_MISSING', exit: 78, says: /destination .*nowhere/ };
  await expectRefused(ctx, replaced(ctx, '--destination', database), missing);
});

test('Kafka or registry that cannot be reached', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  await expectRefused(ctx, replaced(ctx, '--brokers', '127.0.0.1:1'), { code: 'KAFKA_UNREACHABLE', exit: 69 });
  const registry = replaced(ctx, '--registry', 'http://127.0.0.1:1/apis/ccompat/v7');
  await expectRefused(ctx, registry, { code: 'REGISTRY_UNREACHABLE', exit: 69 });
});

test('a table of the same name at the destination, and one without replica identity: both are named', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  await ctx.destination.query('CREATE TABLE t (other text)');
  await expectRefused(ctx, taskOptions(ctx), { code: 'DESTINATION_OBJECT_EXISTS', exit: 4, says: /public\.t/ });
  await ctx.source.query('CREATE TABLE keyless (a int)');
  const both = { code: 'PRECHECK_FAILED', exit: 4, says: /SOURCE_NO_REPLICA_IDENTITY[\s\S]*DESTINATION_OBJECT_EXISTS/ };
  await expectRefused(ctx, taskOptions(ctx), both);
});

test('accounts that lack a right', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  const account = ctx.source.name;
  await ctx.source.query(`CREATE ROLE ${account} LOGIN PASSWORD 'secret'`);
  ctx.defer(() => ctx.source.query(`DROP OWNED BY ${account}; DROP ROLE ${account}`));
  const source = changedUrl(ctx.source.url, (url) => {
    url.username = account;
    url.password = 'secret';
  });
  const several = { code: 'PRECHECK_FAILED', exit: 4, says: /may not replicate[\s\S]*may not read/ };
  await expectRefused(ctx, replaced(ctx, '--source', source), several);
});

test('contradictory and unknown settings', async () => {
  await using ctx = await testContext();
  await using unknown = sluice(['migrate', ...taskOptions(ctx), '--colour']);
  expect(await unknown.exit()).toEqual({ code: 2, signal: null });
  await expectRefused(ctx, replaced(ctx, '--destination', ctx.source.url), {
    code: 'CONFIG_INVALID',
    exit: 78,
    says: /same database/,
  });
  await expectRefused(ctx, [...taskOptions(ctx), '--until', 'tomorrow'], { code: 'CONFIG_INVALID', exit: 78 });
});

test('a source that cannot stream: wal_level, WAL senders and slots', async () => {
  await using replica = await ownPostgres({ settings: { wal_level: 'replica' } });
  await using first = await testContext({ source: replica.url });
  await first.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  await expectRefused(first, taskOptions(first), { code: 'SOURCE_WAL_LEVEL', exit: 4, says: /wal_level .* replica/ });

  await using full = await ownPostgres({ settings: { max_replication_slots: 1 } });
  await using second = await testContext({ source: full.url });
  await second.source.query(`CREATE TABLE t (id int PRIMARY KEY);
    SELECT pg_create_physical_replication_slot('taken')`);
  const noSlot = { code: 'SOURCE_NO_SLOT_FREE', exit: 4, says: /max_replication_slots .* 1, 1 in use/ };
  await using refused = sluice(['migrate', ...taskOptions(second)]);
  await expectError(refused, noSlot);
});

test('a destination that is older than the source', async () => {
  await using newer = await ownPostgres({ major: 18 });
  await using ctx = await testContext({ source: newer.url });
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  const older = { code: 'DESTINATION_OLDER', exit: 4, says: /PostgreSQL 17, the source 18/ };
  await expectRefused(ctx, taskOptions(ctx), older);
});

test('a topic of the task that exists with other settings', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY)');
  const admin = new kafkajs.Kafka({ brokers: [...ctx.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const topic = `${ctx.task}.manifest`;
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 2 }] });
  await eventually(() => admin.fetchTopicMetadata({ topics: [topic] }));
  await admin.disconnect();
  await expectRefused(ctx, taskOptions(ctx), { code: 'KAFKA_TOPIC_SETTINGS', exit: 4, says: /manifest/ });
});

test('precheck says the same, with all findings as JSON', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE keyless (a int); CREATE UNLOGGED TABLE fast (a int PRIMARY KEY)');
  await using precheck = startCommand(ctx, 'precheck', ['--json']);
  expect(await precheck.exit()).toEqual({ code: 4, signal: null });
  const { ok, findings } = JSON.parse(precheck.stdout) as {
    ok: boolean;
    findings: { code: string; severity: string }[];
  };
  expect(ok).toBe(false);
  expect(findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual([
    'error SOURCE_NO_REPLICA_IDENTITY',
    'warning PRECHECK_FAILED',
  ]);
});
