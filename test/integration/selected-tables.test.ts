import { expect, test } from 'vitest';
import { connect } from '../../shared/postgres/connection.ts';
import { readTableSelection, type TableSelection, withoutIdentity } from '../../shared/task/selected-tables.ts';
import type { NameFilter } from '../../shared/task/task.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { postgresEndpoint } from '../support/postgres-endpoint.ts';

const all: NameFilter = { include: [], exclude: [] };

async function selectionOf(ctx: TestContext, schemas = all): Promise<TableSelection> {
  const client = await connect(postgresEndpoint(ctx.source.url), { applicationName: 'test', end: 'source' });
  try {
    return await readTableSelection(client, { schemas, tables: all });
  } finally {
    await client.end();
  }
}

const identities = (virtual: boolean) => `
  CREATE TABLE computed_key (a int, b int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY);
  CREATE TABLE computed_in_key (a int, b int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (a, b));
  CREATE TABLE computed_beside (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED);
  CREATE TABLE computed_full (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
  ALTER TABLE computed_full REPLICA IDENTITY FULL;
  CREATE TABLE late_key (a int, PRIMARY KEY (a) DEFERRABLE);
  CREATE TABLE nothing (a int PRIMARY KEY);
  ALTER TABLE nothing REPLICA IDENTITY NOTHING;
  CREATE TABLE lost_index (a int NOT NULL CONSTRAINT lost UNIQUE);
  ALTER TABLE lost_index REPLICA IDENTITY USING INDEX lost;
  ALTER TABLE lost_index DROP CONSTRAINT lost;
  CREATE TABLE whole (a int);
  ALTER TABLE whole REPLICA IDENTITY FULL;
  ${
    virtual
      ? `CREATE TABLE virtual_beside (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);
         CREATE TABLE virtual_full (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);
         ALTER TABLE virtual_full REPLICA IDENTITY FULL;`
      : ''
  }`;

/** What is judged usable must be what the server lets an application update once it is published. */
async function updatable(ctx: TestContext, names: readonly string[]): Promise<string[]> {
  await ctx.source.query(`CREATE PUBLICATION judged FOR TABLE ${names.join(', ')}`);
  const accepted: string[] = [];
  for (const name of names) {
    await ctx.source.query(`INSERT INTO ${name} VALUES (1)`);
    const updated = ctx.source.query(`UPDATE ${name} SET a = a + 1`);
    if (await updated.then(() => true).catch(() => false)) accepted.push(name);
  }
  return accepted;
}

test('replica identities that the stream can use, on 17', async () => {
  await using ctx = await testContext();
  await ctx.source.query(identities(false));
  const { tables } = await selectionOf(ctx);
  const names = (without: typeof tables) => without.map(({ shape }) => shape.name);
  const refused = ['lost_index', 'late_key', 'nothing'].sort();
  const unusable = ['computed_in_key', 'computed_key', ...refused].sort();
  expect(names(withoutIdentity(tables, 'keep')).sort()).toEqual(unusable);
  expect(withoutIdentity(tables, 'full')).toEqual([]);
  // The server accepts updates by a key that it does not publish: it is Sluice that could not find the rows.
  const accepted = await updatable(ctx, names(tables));
  expect(names(tables).filter((name) => !accepted.includes(name))).toEqual(refused);
});

test('from 18 on the server refuses updates of what has generated columns in its identity', async () => {
  await using source = await ownPostgres({ major: 18 });
  await using ctx = await testContext({ source: source.url });
  await ctx.source.query(identities(true));
  const { tables } = await selectionOf(ctx);
  const names = tables.map(({ shape }) => shape.name);
  const unusable = withoutIdentity(tables, 'keep').map(({ shape }) => shape.name);
  const accepted = await updatable(ctx, names);
  expect(names.filter((name) => !accepted.includes(name))).toEqual(unusable);
  expect(unusable).toContain('computed_full');
  expect(accepted).toEqual(['computed_beside', 'virtual_beside', 'whole']);
  const evenWithFull = withoutIdentity(tables, 'full').map(({ shape }) => shape.name);
  expect(evenWithFull).toEqual(['computed_full', 'computed_in_key', 'computed_key', 'virtual_full']);
});

test('what is not carried is said: unlogged, temporary, and partitions outside of the selection', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`CREATE SCHEMA shop; CREATE SCHEMA archive; CREATE SCHEMA other;
    CREATE TABLE shop.orders (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE shop.new PARTITION OF shop.orders FOR VALUES FROM (100) TO (200);
    CREATE TABLE archive.old PARTITION OF shop.orders FOR VALUES FROM (0) TO (100);
    CREATE UNLOGGED TABLE shop.cache (id int PRIMARY KEY);
    CREATE TABLE other.elsewhere (id int PRIMARY KEY);
    CREATE TEMPORARY TABLE visitor (id int)`);
  const { tables, leftOut } = await selectionOf(ctx, { include: ['shop'], exclude: [] });
  expect(tables.map(({ shape }) => `${shape.schema}.${shape.name}`)).toEqual(['shop.new']);
  expect(leftOut.map(({ name, reason }) => [name, reason]).sort()).toEqual([
    ['cache', 'unlogged'],
    ['old', 'partition'],
    ['visitor', 'temporary'],
  ]);
});
