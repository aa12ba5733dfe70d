import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';

/** What commits after the publication is made and before the slot is there arrives once, with the rows. */
test('changes between publication and slot, and a transaction that runs over both', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY, note text)');
  await ctx.source.query(`INSERT INTO t SELECT i, 'before' FROM generate_series(1, 100) i`);
  await using failpoints = new Failpoints('capture.after-publication=pause@1');
  await using capture = startCapture(ctx, { env: failpoints.env });
  await using sink = startSink(ctx);
  await eventually(() => failpoints.acted('capture.after-publication') !== undefined);
  const slots = 'SELECT count(*) FROM pg_replication_slots WHERE database = current_database()';
  expect(await ctx.source.value(slots)).toBe('0');
  await ctx.source.query(`INSERT INTO t SELECT i, 'in between' FROM generate_series(101, 200) i`);
  await ctx.source.query(`UPDATE t SET note = 'changed' WHERE id <= 10; DELETE FROM t WHERE id BETWEEN 11 AND 20`);
  const over = await ctx.source.connect();
  await over.query(`BEGIN; INSERT INTO t VALUES (201, 'over'); UPDATE t SET note = 'over' WHERE id = 30`);

  capture.signal('SIGCONT');
  await eventually(async () => (await ctx.source.value(slots)) === '1', { what: 'a slot that is being made' });
  expect(capture.output).not.toMatch(/streaming/);
  await over.query(`UPDATE t SET note = 'over' WHERE id = 31; COMMIT`);
  await over.end();
  await capture.wrote(/streaming/);
  await ctx.source.query(`UPDATE t SET note = 'after' WHERE id = 40`);
  await expectCaughtUp(ctx, [capture, sink]);
  expect((await expectSoundTopics(ctx)).transactions).toBe(1);
});
