import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { lsnOf } from '../support/manifest-log.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import type { SluiceProcess } from '../support/processes.ts';
import { applied, appliedPosition, fenceAt, startCapture, startSink } from '../support/sink-scenario.ts';
import { taskFile } from '../support/task-file.ts';
import type { Change, ChangeCase } from './changes/change-case.ts';
import { identifierCases } from './changes/identifier-cases.ts';
import { keyCases } from './changes/key-cases.ts';
import { keylessCases } from './changes/keyless-cases.ts';
import { statementCases } from './changes/statement-cases.ts';
import { toastCases } from './changes/toast-cases.ts';
import { treeCases } from './changes/tree-cases.ts';
import { truncateCases } from './changes/truncate-cases.ts';

/** With one partition by hand: what holds with several holds with one. */
const partitions = Number(process.env['SLUICE_PARTITIONS'] ?? 4);

const cases = [
  ...truncateCases,
  ...keyCases,
  ...toastCases,
  ...keylessCases,
  ...treeCases,
  ...statementCases,
  ...identifierCases,
];

/**
 * Every case is migrated in one task, rows first, by two sinks: one stands still while the changes of a case are made
 * and then applies them together, the other follows as they come and leaves out some tables.
 */
describe(`changes, with ${partitions} partitions a topic`, () => {
  let ctx: TestContext;
  let following: TestDatabase;
  let running: SluiceProcess[];

  beforeAll(async () => {
    ctx = await testContext();
    following = await ctx.anotherDestination();
    for (const each of cases) await createCase(each);
    const selection = ['--exclude-table', '*.not_selected'];
    const args = (sink: object) => [
      ...selection,
      '--task-file',
      taskFile(ctx, { sink, kafka: { partitions, brokers: ctx.brokers, registry: { url: ctx.registry } } }),
    ];
    const left = { name: 'following', tables: { exclude: ['*.not_taken'] } };
    const env = { SLUICE_LOG: 'warn' };
    running = [
      startCapture(ctx, { args: args({}), env }),
      startSink(ctx, { args: args({}), env }),
      startSink(ctx, { args: args(left), destination: following, env }),
    ];
    for (const process of running) ctx.defer(() => process[Symbol.asyncDispose]());
    await applied(ctx.destination, await fenceAt(ctx), { running });
    await applied(following, await fenceAt(ctx), { sink: 'following', running });
    for (const { atDestination } of cases) {
      if (!atDestination) continue;
      await ctx.destination.query(atDestination);
      await following.query(atDestination);
    }
  });

  afterAll(async () => {
    await ctx[Symbol.asyncDispose]();
  });

  async function createCase({ name, everywhere, tables }: ChangeCase): Promise<void> {
    if (everywhere) for (const database of [ctx.source, ctx.destination, following]) await database.query(everywhere);
    await ctx.source.query(`CREATE SCHEMA ${name}; SET search_path = ${name}, public; ${tables}`);
  }

  async function make(changes: readonly Change[], schema: string): Promise<void> {
    const client = await ctx.source.connect();
    try {
      await client.query(`SET search_path = ${schema}, public`);
      for (const change of changes) await (typeof change === 'string' ? client.query(change) : change(client));
    } finally {
      await client.end();
    }
  }

  test.each(cases.map((each) => [each.name, each] as const))('%s', async (name, each) => {
    const before = await conflicts();
    await hold();
    const followed = await make(each.changes, name)
      .then(async () => applied(following, await fenceAt(ctx), { sink: 'following', running }))
      .finally(release);
    await applied(ctx.destination, lsnOf(followed['lsn'] ?? ''), { running });
    const tables = await tablesOf(each.schemas ?? [name]);
    expect(await expectEqualDatabases(ctx.source.url, ctx.destination.url, { tables })).toBeGreaterThan(0);
    const taken = tables.filter((table) => !table.endsWith('.not_taken'));
    await expectEqualDatabases(ctx.source.url, following.url, { tables: taken });
    expect(await conflicts()).toEqual(before);
    if (!each.afterwards) return;
    const [sql, value] = each.afterwards;
    expect([await ctx.destination.value(sql), await following.value(sql)]).toEqual([value, value]);
  });

  async function conflicts(): Promise<unknown[]> {
    const positions = [await appliedPosition(ctx.destination), await appliedPosition(following, 'following')];
    return positions.map((position) => position['conflicts']);
  }

  async function hold(): Promise<void> {
    const request = `INSERT INTO sluice.request (task, sink, kind, state) VALUES ($1, 'main', 'hold', 'requested')`;
    await ctx.destination.query(request, [ctx.task]);
    await eventually(
      async () =>
        running.some((process) => !process.running) ||
        (await ctx.destination.value('SELECT state FROM sluice.request')) === 'reached',
    );
  }

  const release = () => ctx.destination.query('DELETE FROM sluice.request');

  /** As the comparison names them: what a destination has besides is no difference. */
  async function tablesOf(schemas: readonly string[]): Promise<string[]> {
    const rows = await ctx.source.query(
      `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname = ANY ($1) AND c.relname <> 'not_selected'`,
      [schemas],
    );
    return rows.map(({ name }) => name ?? '');
  }

  test('the topics are sound', async () => {
    const report = await expectSoundTopics(ctx);
    expect(report.transactions).toBeGreaterThan(100);
  });
});
