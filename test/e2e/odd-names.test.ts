import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { jsonOf, runCommand, startCommand } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

const shop = `it's "the" shop.of\\names, 😀`;
const orders = 'Order\n"Items", 1st.$';
const hidden = 'not*this, one';
const other = `it's "the" shop`;

/** Names of databases, schemas, tables and columns that need quotes everywhere, through every command. */
test('odd names, from patterns to release', async () => {
  await using ctx = await testContext({}, ` Größe "x" it's %41 \\b`);
  const table = `${quoted(shop)}.${quoted(orders)}`;
  await ctx.source.query(`
    CREATE SCHEMA ${quoted(shop)}; CREATE SCHEMA ${quoted(other)};
    CREATE TABLE ${table} (${quoted(orders)} int PRIMARY KEY, ${quoted(shop)} text, "select" serial);
    CREATE TABLE ${quoted(shop)}.${quoted(hidden)} (id int PRIMARY KEY);
    CREATE TABLE ${quoted(shop)}.${quoted(`${hidden}!`)} (id int PRIMARY KEY);
    CREATE TABLE ${quoted(other)}.elsewhere (id int PRIMARY KEY);
    INSERT INTO ${table} SELECT g, 'n' FROM generate_series(1, 20) g`);
  const patterns = [
    ...['--include-schema', quoted(shop).replaceAll('\\', '\\\\').replaceAll(',', '\\,')],
    ...['--exclude-table', `*.${quoted(hidden)}`.replaceAll(',', '\\,')],
  ];
  await using migrate = startCommand(ctx, 'migrate', patterns);
  await eventually(
    async () =>
      !migrate.running ||
      (await ctx.destination.value('SELECT phase FROM sluice.sink')) === 'incremental data migration',
  );
  expect(migrate.running, migrate.output).toBe(true);
  await ctx.source.query(`UPDATE ${table} SET ${quoted(orders)} = -${quoted(orders)} WHERE ${quoted(orders)} < 5`);
  expect(await jsonOf(ctx, 'fence', { args: [...patterns, '--compare'] })).toMatchObject({ equal: true });
  await ctx.destination.query(`DELETE FROM ${table} WHERE ${quoted(orders)} = 9`);
  const found = await jsonOf(ctx, 'fence', { args: [...patterns, '--compare'], code: 3 });
  expect(found['tables']).toContainEqual(
    expect.objectContaining({ schema: shop, name: orders, equal: false, missing: 1 }),
  );
  await ctx.destination.query(`INSERT INTO ${table} VALUES (9, 'n', 9)`);
  expect(await jsonOf(ctx, 'status', { args: patterns })).toMatchObject({ errors: [], unavailable: [] });
  await runCommand(ctx, 'status', { args: patterns });
  const tables = await ctx.destination.query(`SELECT n.nspname AS schema, c.relname AS name FROM pg_class c
    JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname !~ '^pg_|^information|^sluice' ORDER BY 2`);
  expect(tables).toEqual([
    { schema: shop, name: orders },
    { schema: shop, name: `${hidden}!` },
  ]);
  expect(await jsonOf(ctx, 'cutover', { args: patterns })).toMatchObject({ done: true });
  expect(await migrate.exit(), migrate.output).toEqual({ code: 0, signal: null });
  await expectSoundTopics(ctx);
  await ctx.source.query(`DROP TABLE ${quoted(shop)}.${quoted(hidden)}, ${quoted(other)}.elsewhere`);
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  expect(await ctx.destination.value(`INSERT INTO ${table} VALUES (100) RETURNING "select"`)).toBe('21');
  await runCommand(ctx, 'release', { args: [...patterns, '--topics', '--bookkeeping'] });
  await nothingIsLeft(ctx);
});

async function nothingIsLeft(ctx: TestContext): Promise<void> {
  const left = `SELECT (SELECT count(*) FROM pg_publication)
    + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) AS left`;
  expect(await ctx.source.value(left)).toBe('0');
}
