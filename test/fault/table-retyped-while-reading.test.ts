import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { temporaryDir } from '../support/own-servers.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { manifestOf } from './capture-scenario.ts';

/**
 * ALTER TABLE ... ALTER COLUMN ... TYPE between two chunks of a table that is being read: the table is read again as it
 * is by then, the destination's columns get the new types, and changes from before are passed over.
 */
test('a table whose columns get other types while it is read', async () => {
  await using ctx = await testContext();
  const rows = (from: number, to: number) =>
    `INSERT INTO t SELECT i, i, '2024-06-01 12:00', left(i::text, 5), repeat(md5(i::text), 120)
     FROM generate_series(${from}, ${to}) i`;
  await ctx.source.query(
    `SET timezone TO 'UTC'; CREATE TABLE t (id int, n int DEFAULT 7 NOT NULL, at timestamp, code varchar(5), filler text);
     ALTER TABLE t ALTER filler SET STORAGE EXTERNAL; CREATE TABLE other (id int PRIMARY KEY, v text)`,
  );
  await ctx.source.query(rows(1, 20_000));
  await ctx.source.query('ALTER TABLE t ADD PRIMARY KEY (id); CREATE INDEX ON t (n)');
  await using failpoints = new Failpoints('capture.in-snapshot=pause@1');
  await using sink = startSink(ctx);
  // One reader, so that the chunks of a table follow each other.
  const taskFile = join(temporaryDir('retyped'), 'task.json');
  writeFileSync(taskFile, JSON.stringify({ parallelism: { snapshot: 1 } }));
  ctx.defer(() => rmSync(taskFile));
  await using capture = startCapture(ctx, { env: failpoints.env, args: ['--task-file', taskFile] });
  await eventually(() => failpoints.acted('capture.in-snapshot') ?? false, {
    timeoutMs: 60_000,
    what: 'a chunk of the table',
  });
  // Of the old types, and in the stream: committed after the slot was made.
  await ctx.source.query(rows(20_001, 20_020));
  await ctx.source.query(`UPDATE t SET code = 'old' WHERE id <= 10; INSERT INTO other VALUES (1, 'old')`);
  const alter = ctx.source.query(
    `SET timezone TO 'UTC'; BEGIN; DELETE FROM t WHERE id = 11;
     ALTER TABLE t ALTER n TYPE bigint, ALTER at TYPE timestamptz, ALTER code TYPE text;
     INSERT INTO t (id, n) VALUES (50000, 5000000000); COMMIT`,
  );
  const waiting = `SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database =
    (SELECT oid FROM pg_database WHERE datname = current_database())`;
  const observer = await ctx.source.connect();
  await eventually(async () => (await observer.query(waiting)).rows[0].count === '1', { what: 'ALTER waiting' });
  await observer.end();
  capture.signal('SIGCONT');
  await alter;
  await ctx.source.query(`UPDATE t SET n = n + 6000000000, code = 'longer than five' WHERE id BETWEEN 20 AND 40`);

  await expectCaughtUp(ctx, [capture, sink]);
  await ctx.source.query(`UPDATE t SET at = '2024-06-01 12:00+02' WHERE id = 12; DELETE FROM t WHERE id = 13`);
  await expectCaughtUp(ctx, [capture, sink]);
  const types = `SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = 't'::regclass AND attnum > 0`;
  expect(await ctx.destination.value(types)).toBe('integer,bigint,timestamp with time zone,text,text');
  const report = await expectSoundTopics(ctx);
  expect(report.epochs).toBe(2);
  const { counted } = await manifestOf(ctx);
  const reloads = counted.filter(({ kind, table }) => kind === 'reload' && (table as { name: string }).name === 't');
  expect(reloads).toHaveLength(2);

  // Another capture begins with events of both shapes behind it; a second sink builds the table from the topics alone.
  capture.signal('SIGKILL');
  await capture.exit();
  await using next = startCapture(ctx);
  await ctx.source.query('UPDATE t SET n = -n WHERE id < 100');
  await expectCaughtUp(ctx, [next, sink]);
  const second = await ctx.anotherDestination();
  await using otherSink = startSink(ctx, { destination: second, args: ['--sink-name', 'second'] });
  await eventually(
    async () => {
      if (!otherSink.running) throw new Error(otherSink.output);
      const position = 'SELECT "position" FROM sluice.position';
      const [ours, theirs] = [await ctx.destination.value(position), await second.value(position).catch(() => null)];
      return ours === theirs;
    },
    { timeoutMs: 90_000, what: 'the second sink' },
  );
  await expectEqualDatabases(ctx.source.url, second.url);
});
