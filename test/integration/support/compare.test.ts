import { expect, test } from 'vitest';
import { compareDatabases, expectEqualDatabases } from '../../support/compare.ts';
import { type TestContext, testContext } from '../../support/context.ts';

const content = `
  CREATE SCHEMA shop;
  CREATE TABLE shop.keyed (id int PRIMARY KEY, note text, "Amount" numeric);
  INSERT INTO shop.keyed VALUES (1, 'one', 1.50), (2, '', 2), (3, NULL, 'NaN'), (10, E'two\\nlines\\\\', -0.0);
  CREATE TABLE public.keyless (note text);
  INSERT INTO public.keyless VALUES ('same'), ('same'), (NULL);`;

async function filled(): Promise<TestContext> {
  const ctx = await testContext();
  await ctx.source.query(content);
  await ctx.destination.query(content);
  return ctx;
}

async function differing(ctx: TestContext): Promise<string[]> {
  const results = await compareDatabases(ctx.source.url, ctx.destination.url);
  return results.filter(({ equal }) => !equal).map(({ table }) => table);
}

test('equal databases are equal, whatever the physical order of rows and columns', async () => {
  await using ctx = await filled();
  await ctx.destination.query('UPDATE shop.keyed SET id = id WHERE id = 1');
  await ctx.destination.query('ALTER TABLE shop.keyed ADD copy text, ALTER id SET NOT NULL');
  await ctx.destination.query('UPDATE shop.keyed SET copy = note');
  await ctx.destination.query('ALTER TABLE shop.keyed DROP note');
  await ctx.destination.query('ALTER TABLE shop.keyed RENAME copy TO note');
  expect(await expectEqualDatabases(ctx.source.url, ctx.destination.url)).toBe(7);
});

test.each([
  ['a row too few', 'DELETE FROM shop.keyed WHERE id = 2', 'shop.keyed'],
  ['a row too many', `INSERT INTO shop.keyed VALUES (4, 'four', 4)`, 'shop.keyed'],
  ['a row doubled without a key', `INSERT INTO public.keyless VALUES ('same')`, 'public.keyless'],
  ['one row replaced without a key', `UPDATE public.keyless SET note = '\\N' WHERE note IS NULL`, 'public.keyless'],
  ['NULL for an empty string', 'UPDATE shop.keyed SET note = NULL WHERE id = 2', 'shop.keyed'],
  ['an empty string for NULL', `UPDATE shop.keyed SET note = '' WHERE id = 3`, 'shop.keyed'],
  ['a trailing space', `UPDATE shop.keyed SET note = 'one ' WHERE id = 1`, 'shop.keyed'],
  ['a trailing zero', 'UPDATE shop.keyed SET "Amount" = 1.5 WHERE id = 1', 'shop.keyed'],
  ['a table missing', 'DROP TABLE public.keyless', 'public.keyless'],
  ['a table too many', 'CREATE TABLE shop.more (id int)', 'shop.more'],
  ['a column missing', 'ALTER TABLE shop.keyed DROP "Amount"', 'shop.keyed'],
])('sees %s', async (_what, change, table) => {
  await using ctx = await filled();
  await ctx.destination.query(change);
  expect(await differing(ctx)).toEqual([table]);
  await expect(expectEqualDatabases(ctx.source.url, ctx.destination.url)).rejects.toThrow(table);
});

test('reads the source under a given snapshot', async () => {
  await using ctx = await filled();
  const keeper = await ctx.source.connect();
  ctx.defer(() => keeper.end());
  await keeper.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const { rows } = await keeper.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  await ctx.source.query(`INSERT INTO shop.keyed VALUES (99, 'later', 0)`);
  expect(await differing(ctx)).toEqual(['shop.keyed']);
  const sourceSnapshot = rows[0]?.id ?? '';
  expect(await expectEqualDatabases(ctx.source.url, ctx.destination.url, { sourceSnapshot })).toBe(7);
});
