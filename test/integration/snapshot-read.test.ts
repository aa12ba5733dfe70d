import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import copyStreams from 'pg-copy-streams';
import { describe, expect, test } from 'vitest';
import { openKeeper } from '../../services/capture/snapshot/keeper.ts';
import { connect } from '../../shared/postgres/connection.ts';
import { quoteIdentifier, quoteTable } from '../../shared/postgres/identifiers.ts';
import { parseLsn } from '../../shared/postgres/lsn.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { definitionsFor, majorOf } from '../support/server-version.ts';
import { type ReadChunk, type ReadingTask, readingTask } from './snapshot-reading-task.ts';

/** Loads the chunks into tables of the same names, as a sink does: COPY with the chunk's columns. */
async function load(ctx: TestContext, chunks: readonly ReadChunk[]): Promise<void> {
  const client = await ctx.destination.connect();
  try {
    for (const chunk of chunks) {
      const columns = chunk.columns.map(quoteIdentifier).join(', ');
      const copy = client.query(copyStreams.from(`COPY ${quoteTable(chunk)} (${columns}) FROM STDIN`));
      await pipeline(Readable.from([chunk.rowsText]), copy);
      expect(copy.rowCount).toBe(chunk.rows);
    }
  } finally {
    await client.end();
  }
}

async function bothEnds(ctx: TestContext, sql: string): Promise<void> {
  const definitions = definitionsFor(await majorOf(ctx.source), sql);
  await ctx.source.query(definitions);
  await ctx.destination.query(definitions);
}

/** The rows of a table at both ends, as text. */
async function expectEqual(ctx: TestContext, table: string): Promise<string> {
  const sql = `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM ONLY ${table} t`;
  const source = await ctx.source.value(sql);
  expect(await ctx.destination.value(sql)).toBe(source);
  return source ?? '';
}

async function readAndLoad(ctx: TestContext, reading: ReadingTask): Promise<ReadChunk[]> {
  await reading.read({ manifest: await reading.attempt() });
  const chunks = await reading.chunks();
  await load(ctx, chunks);
  return chunks;
}

describe('rows read and loaded are the rows of the source', () => {
  test('of every kind of value', async () => {
    await using ctx = await testContext();
    await bothEnds(
      ctx,
      `CREATE SCHEMA "we""ird.schéma";
      CREATE TYPE mood AS ENUM ('sad', 'o''k', 'tab	newline
      back\\slash');
      CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN posint AS int CHECK (VALUE > 0);
      CREATE TABLE "we""ird.schéma"."Ta.ble ""q""" ("Col ""1""" int PRIMARY KEY, "select" text, "naïve" bytea);
      CREATE TABLE kinds (i int, b bytea, t text, ts timestamp, tz timestamptz, n numeric, f float8, r real, iv interval,
        dt date, tm time, ttz timetz, mo money, bt bit(5), vb varbit, x xml, p point, j json, jb jsonb, u uuid, ip inet,
        m mood[], pr pair, prs pair[], d posint, a text[][], rg int4range, tv tsvector, c char(5), "char" "char", o oid,
        g int GENERATED ALWAYS AS (i * 2) STORED);
      ALTER TABLE kinds DROP COLUMN o`,
    );
    await ctx.source.query(
      `INSERT INTO "we""ird.schéma"."Ta.ble ""q""" VALUES (1, E'tab\\t nl\\n cr\\r bs\\\\ \\\\N \\\\. é 表 😀', '\\x000aff5c'),
        (2, NULL, NULL), (3, '', ''), (4, '\\N', '\\x5c4e'), (5, '\\.', NULL);
      INSERT INTO kinds VALUES (1, '\\x0a0d09005c', E'a\\nb', '2024-02-29 23:59:59.999999', '0044-03-15 12:00:00+00 BC',
        'NaN', '-Infinity', '1.17549435e-38', '-1 mon +2 days -03:04:05.000006', 'infinity', '24:00', '12:00:00.5+05:30',
        '-12.34', B'10101', B'', '<a>&amp;</a>', '(1e308,-0)', '{"a": 1.0,  "a":2}', '{"a": 1.10}',
        '00000000-0000-0000-0000-00000000000a', '::1/64', '{sad,NULL,"o''k"}', ROW(1, 'x,"y'), ARRAY[ROW(NULL, '')::pair],
        7, '[0:1][2:3]={{a,NULL},{"NULL","\\""}}', 'empty', 'a:1A b', 'ab', 'c');
      INSERT INTO kinds (i, t, ts, tz, n, f, r, dt)
        VALUES (2, '\\N', '-infinity', 'infinity', 1e-100, '-0', 'NaN', '0001-01-01 BC');
      INSERT INTO kinds (i) VALUES (NULL), (NULL), (3)`,
    );
    const reading = await readingTask(ctx);
    const chunks = await readAndLoad(ctx, reading);
    await expectEqual(ctx, '"we""ird.schéma"."Ta.ble ""q"""');
    expect(await expectEqual(ctx, 'kinds')).toMatch(/^5 /);
    const generated = (await majorOf(ctx.source)) >= 12;
    expect(chunks.find(({ name }) => name === 'kinds')?.columns.includes('g')).toBe(!generated);
  });

  test('of large, empty, toasted, partitioned and inherited tables, in ranges and chunks', async () => {
    await using ctx = await testContext();
    await bothEnds(
      ctx,
      `CREATE TABLE large (id int, filler text);
      CREATE TABLE empty (a int);
      CREATE TABLE toasted (id int, doc text);
      CREATE TABLE parent (a int);
      CREATE TABLE child () INHERITS (parent);
      CREATE TABLE part (a int, v text) PARTITION BY RANGE (a);
      CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100);
      CREATE TABLE part_high (v text, a int);
      ALTER TABLE part ATTACH PARTITION part_high FOR VALUES FROM (100) TO (1000)`,
    );
    await ctx.source.query(
      `INSERT INTO large SELECT i, repeat('x', 100 + i % 900) FROM generate_series(1, 60000) i;
      INSERT INTO toasted SELECT i, (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 40 * i) k)
        FROM generate_series(1, 100) i;
      INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (3);
      INSERT INTO part SELECT i, i FROM generate_series(0, 199) i`,
    );
    const reading = await readingTask(ctx);
    const manifest = await reading.attempt();
    await reading.read({ manifest, bytesInFlight: 4 * 1024 * 1024 });
    const chunks = await reading.chunks();
    await load(ctx, chunks);
    for (const table of ['large', 'empty', 'toasted', 'parent', 'child', 'part_low', 'part_high']) {
      await expectEqual(ctx, table);
    }
    const large = chunks.filter(({ name }) => name === 'large');
    expect(large.length).toBeGreaterThan(20);
    expect(large.map(({ chunk }) => chunk).sort((a, b) => a - b)).toEqual(large.map((_, i) => i));
    for (const { rowsText } of large) expect(rowsText.length).toBeLessThan(2 * 1024 * 1024);
    const reads = [...manifest.state.reads.values()];
    expect(reads.map(({ state }) => state)).toEqual(Array(7).fill('read'));
    expect(reads.find(({ name }) => name === 'empty')).toMatchObject({ chunks: 0, rows: 0n });
  });

  test('of a row that is larger than a chunk, and no larger than a record may be', async () => {
    await using ctx = await testContext();
    await bothEnds(ctx, 'CREATE TABLE wide (id int, doc text)');
    await ctx.source.query(`INSERT INTO wide SELECT i, repeat('0123456789', i * 100000) FROM generate_series(1, 5) i`);
    const kafka = { brokers: ctx.brokers, registry: { url: ctx.registry }, maxMessageBytes: 6_000_000 };
    const reading = await readingTask(ctx, { kafka });
    await readAndLoad(ctx, reading);
    await expectEqual(ctx, 'wide');
    await ctx.source.query(`CREATE TABLE wider AS SELECT repeat('x', 6000000) AS doc`);
    await expect(reading.read({ manifest: await reading.attempt() })).rejects.toMatchObject({
      code: 'KAFKA_RECORD_TOO_LARGE',
      message: expect.stringContaining('"public"."wider"'),
    });
  });
});

test('all workers see the rows of one instant, and none of later transactions', async () => {
  await using ctx = await testContext();
  await bothEnds(ctx, 'CREATE TABLE a (id int); CREATE TABLE b (id int)');
  await ctx.source.query(
    'INSERT INTO a SELECT generate_series(1, 1000); INSERT INTO b SELECT generate_series(1, 1000)',
  );
  const reading = await readingTask(ctx);
  const keeper = await reading.keeper();
  await ctx.source.query('DELETE FROM a WHERE id <= 500; INSERT INTO b VALUES (2000)');
  const manifest = await reading.attempt();
  await reading.read({ manifest, keeper });
  await load(ctx, await reading.chunks());
  const sums = "SELECT (SELECT sum(id) FROM a) || ' ' || (SELECT sum(id) FROM b)";
  expect(await ctx.destination.value(sums)).toBe('500500 500500');
  const read = manifest.state.reads.get('"public"."a"');
  expect(read?.snapshot).toEqual(keeper.identity);
  expect(read?.snapshot?.kind).toBe('ordinary');
});

test("a slot's exported snapshot is kept after the slot's connection went on", async () => {
  await using ctx = await testContext();
  await bothEnds(ctx, 'CREATE TABLE a (id int)');
  await ctx.source.query('INSERT INTO a SELECT generate_series(1, 10)');
  const reading = await readingTask(ctx);
  const { endpoint } = reading.task.source;
  const walsender = await connect(endpoint, { applicationName: 'test', end: 'source', replication: true });
  ctx.defer(() => walsender.end());
  const { rows } = await walsender.query(
    'CREATE_REPLICATION_SLOT keeper_test TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT',
  );
  const consistentPoint = parseLsn(rows[0].consistent_point);
  const slot = { snapshot: rows[0].snapshot_name, consistentPoint };
  const keeper = await openKeeper({ endpoint, applicationName: 'test keeper', slot });
  ctx.defer(() => keeper.close());
  await walsender.query('IDENTIFY_SYSTEM');
  await ctx.source.query('INSERT INTO a VALUES (1000)');
  const manifest = await reading.attempt();
  await reading.read({ manifest, keeper });
  await load(ctx, await reading.chunks());
  expect(await ctx.destination.value('SELECT sum(id) FROM a')).toBe('55');
  expect(manifest.state.reads.get('"public"."a"')?.snapshot).toEqual({ kind: 'slot', consistentPoint });
});
