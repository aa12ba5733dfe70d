import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { expectCaughtUp, startCapture, startSink, streaming } from '../support/sink-scenario.ts';
import { setOddSettings } from '../support/values/odd-settings.ts';
import { createTypes, sampledTypes } from '../support/values/type-table.ts';
import { createValueTables, type ValueTable } from '../support/values/value-tables.ts';

/** Every type of the source, with its edge values, is the same at the destination: from the snapshot and the stream. */

const steps = ['copy', 'update', 'remove'] as const;

test('every type of the server, as value and as key', { timeout: 300_000 }, async () => {
  await using ctx = await testContext();
  const sink = await expectUnchanged(ctx, async (tables) => {
    for (const step of steps) for (const table of tables) await ctx.source.query(table[step]);
  });
  expect(sink).not.toMatch(/applied change by change/);
});

test('change by change, under sessions with odd settings at both ends', { timeout: 300_000 }, async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE swapped (id int PRIMARY KEY, place int UNIQUE)');
  await ctx.source.query('INSERT INTO swapped VALUES (1, 1), (2, 2)');
  const sink = await expectUnchanged(
    ctx,
    async (tables) => {
      // What became a swap of unique values cannot be applied as a set.
      const place = (id: number, to: number) => `UPDATE swapped SET place = ${to} WHERE id = ${id}`;
      const swap = [place(1, 3), place(2, 1), place(1, 2)];
      const all = steps.flatMap((step) => tables.map((table) => table[step]));
      await ctx.source.query(['BEGIN', ...all, ...swap, 'COMMIT'].join(';'));
    },
    async () => {
      for (const database of [ctx.source, ctx.destination]) await setOddSettings(database);
    },
  );
  expect(sink).toMatch(/applied change by change/);
});

/** By its name it would be the same object; by its number another one, or none. */
test('a number where a name should be stops the sink, from the snapshot and from the stream', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`CREATE TABLE named (id int PRIMARY KEY, one regclass, many regtype[]);
    CREATE TABLE gone (); INSERT INTO named VALUES (1, 'pg_class', '{integer}'), (2, 'gone', NULL); DROP TABLE gone`);
  await using capture = startCapture(ctx);
  await using refusing = startSink(ctx);
  expect((await refusing.exit()).code).not.toBe(0);
  expect(refusing.output).toMatch(
    /DESTINATION_OBJECT_MISNAMED: chunk 0 of "public"."named", row 2: column one .*: \d+/,
  );
  capture.signal('SIGTERM');
  await capture.exit();
});

test('an object that is not there stops the sink, naming the row, until it is made', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`CREATE TABLE named (id int PRIMARY KEY, one regprocedure, many regtype[])`);
  await using capture = startCapture(ctx);
  await using first = startSink(ctx);
  await streaming(ctx, [capture, first]);
  const made = 'CREATE FUNCTION public.late(int) RETURNS int LANGUAGE sql AS $$SELECT 1$$';
  await ctx.source.query(`${made}; INSERT INTO named VALUES (1, 'public.late(int)', '{integer}')`);
  expect((await first.exit()).code).not.toBe(0);
  expect(first.output).toMatch(/DESTINATION_ROW_REFUSED: "public"."named" key id=1.*late/);
  await ctx.destination.query(made);
  await using second = startSink(ctx);
  await expectCaughtUp(ctx, [capture, second]);
  await ctx.source.query(`INSERT INTO named VALUES (3, NULL, ARRAY['text'::regtype, 4000000000::oid::regtype])`);
  expect((await second.exit()).code).not.toBe(0);
  expect(second.output).toMatch(/DESTINATION_OBJECT_MISNAMED: "public"."named" key id=3.*column many .*: 4000000000/);
});

/** Gives what the sink wrote. */
async function expectUnchanged(
  ctx: TestContext,
  change: (tables: readonly ValueTable[]) => Promise<void>,
  prepare: () => Promise<void> = async () => undefined,
): Promise<string> {
  await createTypes(ctx.source, ctx.destination);
  const tables = await createValueTables(ctx.source, await sampledTypes(ctx.source));
  await prepare();
  const args = ['--exclude-schema', 'names'];
  await using capture = startCapture(ctx, { args });
  await using sink = startSink(ctx, { args });
  await streaming(ctx, [capture, sink]);
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  await change(tables);
  await expectCaughtUp(ctx, [capture, sink]);
  return sink.output;
}
