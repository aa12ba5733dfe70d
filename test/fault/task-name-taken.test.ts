import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { startCommand } from '../support/control-command.ts';
import type { TestDatabase } from '../support/database.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { appliedPosition, expectCaughtUp } from '../support/sink-scenario.ts';
import { expectStreamStops, prepareSlot } from './capture-scenario.ts';

/** A name belongs to one task: its second migrate, at the same time, ends and disturbs nothing of the first. */
test('the same task by two migrates at once', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY)');
  await using first = startCommand(ctx, 'migrate');
  await using second = startCommand(ctx, 'migrate');
  const loser = await Promise.race([first.exited.then(() => first), second.exited.then(() => second)]);
  expect((await loser.exit()).code, loser.output).toBe(1);
  expect(loser.stderr).toMatch(/^error SOURCE_TASK_RUNNING: the lock of sluice_\w+ is held at the source by process/m);
  expect(loser.stderr).toMatch(/^\s*remedy: Stop it first/m);
  const winner = loser === first ? second : first;
  await expect.poll(() => appliedPosition(ctx.destination).catch(() => null), { timeout: 60_000 }).not.toBeNull();
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expectCaughtUp(ctx, [winner]);
});

/** The topics of a name are of one source: another cluster or database is not taken for it. */
test('the name of a task with another source', async () => {
  await using server = await ownPostgres();
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY)');
  await prepareSlot(ctx);
  await using elsewhere = await testContext({ source: server.url });
  await elsewhere.source.query('CREATE TABLE t (id serial PRIMARY KEY)');
  const from = (source: TestDatabase): TestContext => ({ ...ctx, source });
  await expectStreamStops(
    from(elsewhere.source),
    'SOURCE_OTHER_SYSTEM',
    /has system identifier \d+, the task was started on \d+/,
  );
  const beside = await ctx.anotherSource();
  await beside.query('CREATE TABLE t (id serial PRIMARY KEY)');
  await expectStreamStops(
    from(beside),
    'SOURCE_OTHER_SYSTEM',
    /is database source2\w*, the task was started on database source\w*/,
  );
});
