import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { applied, expectCaughtUp, fenceAt, startCapture, startSink } from '../support/sink-scenario.ts';
import { taskFile } from '../support/task-file.ts';

/** Changes of a replica identity, each followed by a change that the stream could not carry, or not as before. */
const changes = [
  ['by_index', 'DROP INDEX by_index_code', 'INSERT INTO by_index VALUES (2, 2)'],
  ['by_key', 'ALTER TABLE by_key REPLICA IDENTITY FULL', 'UPDATE by_key SET n = 2'],
  ['whole', 'ALTER TABLE whole REPLICA IDENTITY NOTHING', 'INSERT INTO whole VALUES (2, 2)'],
] as const;

test.each(changes)(
  '%s: %s while streaming stops the task before anything wrong is published',
  async (table, alter, change) => {
    await using ctx = await testContext();
    await ctx.source.query(`
    CREATE TABLE by_index (code int NOT NULL, n int);
    CREATE UNIQUE INDEX by_index_code ON by_index (code);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code;
    CREATE TABLE by_key (code int PRIMARY KEY, n int);
    CREATE TABLE whole (code int, n int);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    INSERT INTO by_index VALUES (1, 1); INSERT INTO by_key VALUES (1, 1); INSERT INTO whole VALUES (1, 1)`);
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await ctx.source.query(`UPDATE ${table} SET n = 0`);
    await ctx.source.query(alter);
    await ctx.source.query(change);
    expect(await capture.exit(), capture.output).toMatchObject({ signal: null });
    expect(capture.stderr).toMatch(/^error SOURCE_TABLE_CHANGED: /m);
    expect(capture.stderr).toContain(table);
    expect(capture.stderr).toMatch(/^\s*remedy: \S/m);
    expect((await expectSoundTopics(ctx)).events).toBe(1);
  },
);

test('prepared transactions: slot creation waits for them and names them; a capture may die before they commit', async () => {
  await using server = await ownPostgres();
  await using ctx = await testContext({ source: server.url });
  await ctx.source.query(
    'CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 10) g',
  );
  await ctx.source.query(`BEGIN; UPDATE t SET n = 1 WHERE id = 1; PREPARE TRANSACTION 'before the slot'`);
  const source = { url: ctx.source.url, slotTimeoutSeconds: 2 };
  await using refused = startCapture(ctx, { args: ['--task-file', taskFile(ctx, { source })] });
  expect(await refused.exit()).toMatchObject({ signal: null });
  expect(refused.stderr).toMatch(/^error SOURCE_SLOT_WAIT: .*'before the slot'/m);

  await using patient = startCapture(ctx);
  await using sink = startSink(ctx);
  const waits = 'SELECT count(*) FROM pg_locks WHERE NOT granted';
  await eventually(async () => (await ctx.source.value(waits)) === '1', { what: 'the slot waiting' });
  await ctx.source.query(`COMMIT PREPARED 'before the slot'`);
  await applied(ctx.destination, await fenceAt(ctx), { running: [patient, sink] });

  await ctx.source.query(
    `BEGIN; UPDATE t SET n = 10 WHERE id = 3; INSERT INTO t VALUES (100, 1); PREPARE TRANSACTION 'kept'`,
  );
  await ctx.source.query('UPDATE t SET n = n + 1 WHERE id = 5');
  await ctx.source.query(
    `BEGIN; UPDATE t SET n = 10 WHERE id = 4; INSERT INTO t VALUES (101, 1); PREPARE TRANSACTION 'dropped'`,
  );
  await ctx.source.query('UPDATE t SET n = n + 1 WHERE id = 5');
  await applied(ctx.destination, await fenceAt(ctx), { running: [patient, sink] });
  patient.signal('SIGKILL');
  await patient.exit();
  await ctx.source.query('UPDATE t SET n = n + 1 WHERE id = 6');
  await using next = startCapture(ctx);
  await applied(ctx.destination, await fenceAt(ctx), { running: [next, sink] });
  expect(await ctx.destination.value('SELECT count(*) FROM t WHERE id >= 100')).toBe('0');
  await ctx.source.query(`COMMIT PREPARED 'kept'`);
  await ctx.source.query(`ROLLBACK PREPARED 'dropped'`);
  await ctx.source.query('UPDATE t SET n = n + 1 WHERE id = 100');
  await expectCaughtUp(ctx, [next, sink]);
  expect(await ctx.destination.value('SELECT n FROM t WHERE id = 100')).toBe('2');
  await expectSoundTopics(ctx);
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
});
