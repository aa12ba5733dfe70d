import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { taskFile } from '../support/task-file.ts';
import { manifestOf } from './capture-scenario.ts';

/** Large for its rows: it is read in three ranges, one transaction each, and can be rewritten between them. */
const table = (name: string) => `
  CREATE TABLE ${name} (id int PRIMARY KEY, v text, filler text) WITH (fillfactor = 10);
  INSERT INTO ${name} SELECT i, 'v' || i, repeat('x', 500) FROM generate_series(1, 18000) i`;

const rewrites = {
  vacuumed: 'VACUUM FULL vacuumed',
  clustered: 'CLUSTER clustered USING clustered_pkey',
  altered: 'ALTER TABLE altered ALTER COLUMN v TYPE text USING upper(v)',
};
const names = Object.keys(rewrites);

/**
 * A rewrite makes an older snapshot read nothing, and may change values that no change event carries: a table that was
 * rewritten while it is read is read again, and ends right.
 */
test('VACUUM FULL, CLUSTER and ALTER COLUMN TYPE USING while tables are read', async () => {
  await using ctx = await testContext();
  for (const name of names) await ctx.source.query(table(name));
  await using failpoints = new Failpoints('capture.in-range=pause@1');
  const args = ['--task-file', taskFile(ctx, { parallelism: { snapshot: 1 } })];
  await using capture = startCapture(ctx, { env: failpoints.env, args });
  await using sink = startSink(ctx);
  await eventually(() => failpoints.acted('capture.in-range') !== undefined, { timeoutMs: 120_000 });
  const sessions = await Promise.all(names.map(() => ctx.source.connect()));
  const rewriting = Object.values(rewrites).map((sql, i) => sessions[i]?.query(sql));
  // One waits for the range that is being read; the others are done when capture goes on.
  const waiting = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice test'
    AND datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()`;
  await eventually(async () => (await ctx.source.value(waiting)) === '1', { what: 'a rewrite that waits' });

  capture.signal('SIGCONT');
  await Promise.all(rewriting);
  await Promise.all(sessions.map((session) => session.end()));
  for (const name of names) {
    await ctx.source.query(`UPDATE ${name} SET v = 'later' WHERE id % 100 = 0; DELETE FROM ${name} WHERE id % 100 = 1`);
  }
  await capture.wrote(/rows published/, 120_000);
  await expectCaughtUp(ctx, [capture, sink]);
  await expectSoundTopics(ctx);
  expect(await ctx.destination.value('SELECT v FROM altered WHERE id = 2')).toBe('V2');
  const { counted } = await manifestOf(ctx);
  for (const name of names) {
    const of = (kind: string) => counted.filter((record) => record.kind === kind && record.table?.name === name).length;
    expect({ name, reloads: of('reload'), reads: of('read') }).toEqual({ name, reloads: 2, reads: 1 });
  }
});
