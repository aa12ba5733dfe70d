import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { jsonOf } from '../support/control-command.ts';

interface Table {
  readonly name: string;
  readonly equal: boolean;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly failed?: string;
}

const schema = `
  CREATE COLLATION numeric_order (provider = icu, locale = 'en-u-kn');
  CREATE TABLE texts (name text COLLATE numeric_order PRIMARY KEY, value text);
  CREATE TABLE pairs (a text, b int, c json, PRIMARY KEY (a, b));
  CREATE TABLE keyless (p point, x xml, n numeric, f float8);
  CREATE TABLE empty (id int PRIMARY KEY);
  CREATE TABLE "odd ""name""" ("a b" bigint PRIMARY KEY, "Ü" text);
  CREATE TABLE parts (id int NOT NULL, t text) PARTITION BY RANGE (id);
  CREATE TABLE parts_low PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (100);
  CREATE TABLE parts_high PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES FROM (100) TO (1000)`;

const rows = `
  INSERT INTO texts SELECT 'n' || n || CASE n % 3 WHEN 0 THEN E'\\t' WHEN 1 THEN E'\\\\' ELSE ' ' END, n::text FROM generate_series(1, 500) AS n;
  INSERT INTO pairs SELECT 'k' || n % 7, n, '{"a":  1}' FROM generate_series(1, 500) AS n;
  INSERT INTO keyless SELECT point(n % 5, 1), '<a/>', n % 3, 'NaN' FROM generate_series(1, 100) AS n;
  INSERT INTO "odd ""name""" VALUES (-9223372036854775808, 'min'), (0, NULL), (9223372036854775807, '');
  INSERT INTO parts SELECT n, 'x' FROM generate_series(1, 300) AS n`;

/** Both ends are read in one order, whatever types, names and collations are in it. */
test('equal ends are equal, and each kind of difference is seen', async () => {
  await using ctx = await testContext();
  for (const end of [ctx.source, ctx.destination]) {
    await end.query(schema);
    await end.query(rows);
  }
  const compare = async (code: number) =>
    (await jsonOf(ctx, 'fence', { args: ['--compare', '--types', 'full'], code }))['tables'] as Table[];
  expect((await compare(0)).map(({ name, equal }) => `${name} ${equal}`)).toEqual([
    'empty true',
    'keyless true',
    'odd "name" true',
    'pairs true',
    'parts_high true',
    'parts_low true',
    'texts true',
  ]);

  await ctx.destination.query(`
    UPDATE texts SET value = NULL WHERE value = '20';
    UPDATE pairs SET c = '{"a": 1}' WHERE b = 77;
    DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless LIMIT 1);
    UPDATE "odd ""name""" SET "Ü" = '' WHERE "a b" = 0;
    INSERT INTO empty VALUES (1);
    DROP TABLE parts_high`);
  const found = await compare(3);
  const summary = found.map(({ name, missing, extra, different, failed }) =>
    failed === undefined ? `${name} ${missing} ${extra} ${different}` : `${name} failed`,
  );
  expect(summary).toEqual([
    'empty 0 1 0',
    'keyless 1 0 0',
    'odd "name" 0 0 1',
    'pairs 0 0 1',
    'parts_high failed',
    'parts_low 0 0 0',
    'texts 0 0 1',
  ]);
});
