import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { expectCaughtUp, startCapture, startSink, streaming } from '../support/sink-scenario.ts';

/** As many columns as a table can have, with a key and without one, go through snapshot and stream. */

const COLUMNS = 1600;

test('rows of 1,600 columns', { timeout: 300_000 }, async () => {
  await using ctx = await testContext();
  const types = ['int', 'boolean', 'smallint', 'text'];
  const names = Array.from({ length: COLUMNS - 1 }, (_, i) => `"column ${i}"`);
  const columns = names.map((name, i) => `${name} ${types[i % types.length]}`).join(', ');
  const values = names.map((_, i) => ['i', 'i % 2 = 0', '-1', `CASE WHEN i % 3 = 0 THEN 'x' END`][i % types.length]);
  const rows = (table: string, from: number) =>
    `INSERT INTO ${table} SELECT i, ${values.join(', ')} FROM generate_series(${from}, ${from + 99}) i`;
  for (const table of ['wide', 'keyless']) {
    await ctx.source.query(`CREATE TABLE ${table} (id int, ${columns}); ${rows(table, 1)}`);
  }
  await ctx.source.query('ALTER TABLE wide ADD PRIMARY KEY (id); ALTER TABLE keyless REPLICA IDENTITY FULL');
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await streaming(ctx, [capture, sink]);
  for (const table of ['wide', 'keyless']) {
    await expectCaughtUp(ctx, [capture, sink]);
    // Only pairs of old and new images are too wide for a set.
    expect(sink.output).not.toMatch(/change by change/);
    await ctx.source.query(rows(table, 1001));
    await ctx.source.query(`UPDATE ${table} SET "column 0" = -1, "column ${COLUMNS - 2}" = 1 WHERE id % 2 = 0`);
    await ctx.source.query(`UPDATE ${table} SET id = id + 5000 WHERE id < 10; DELETE FROM ${table} WHERE id % 7 = 0`);
  }
  await expectCaughtUp(ctx, [capture, sink]);
});
