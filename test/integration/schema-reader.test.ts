import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { PostgresMajor } from '../../deploy/local/postgres-install.ts';
import { readSchemaObjects } from '../../services/capture/schema/schema-reader.ts';
import type { SchemaObject } from '../../shared/envelope/schema-object.ts';
import { connect } from '../../shared/postgres/connection.ts';
import { resolveTask } from '../../shared/task/resolve.ts';
import type { Task } from '../../shared/task/task.ts';
import { type TestContext, testContext } from '../support/context.ts';
import type { TestDatabase } from '../support/database.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { dumpSchema, pgDumpMajor } from '../support/pg-dump.ts';
import { Random } from '../support/random.ts';
import { randomSchema } from '../support/random-schema.ts';
import { catalogOf } from './schema-fixtures/catalog.ts';

const fixtures: readonly [since: number, file: string][] = [
  [10, 'all-versions.sql'],
  [10, 'types-and-operators.sql'],
  [10, 'behaviour.sql'],
  [11, 'since-11.sql'],
  [11, 'since-11-behaviour.sql'],
  [12, 'since-12.sql'],
  [14, 'since-14.sql'],
  [15, 'since-15.sql'],
  [17, 'since-17.sql'],
  [18, 'since-18.sql'],
];

/** Nothing stays behind that can be carried. */
const everything = { owners: true, grants: true, eventTriggers: true, foreignServers: true };

/** A server that this machine's pg_dump reads, fetched if need be. */
function oracleMajor(): PostgresMajor {
  return Math.min(pgDumpMajor() ?? 17, 18) as PostgresMajor;
}

async function fill(database: TestDatabase): Promise<void> {
  const version = Number(await database.value("SELECT current_setting('server_version_num')"));
  for (const [since, file] of fixtures) {
    if (version >= since * 10_000)
      await database.query(await readFile(new URL(`schema-fixtures/${file}`, import.meta.url), 'utf8'));
  }
}

function taskOf(ctx: TestContext, definition: Readonly<Record<string, unknown>> = {}): Promise<Task> {
  const ends = { source: { url: ctx.source.url }, destination: { url: ctx.destination.url } };
  const kafka = { brokers: ctx.brokers, registry: { url: ctx.registry } };
  return resolveTask({ name: ctx.task, ...ends, kafka, ...definition }, process.env);
}

async function readObjects(task: Task): Promise<SchemaObject[]> {
  const client = await connect(task.source.endpoint, { applicationName: 'test', end: 'source' });
  try {
    return await readSchemaObjects(client, task);
  } finally {
    await client.end();
  }
}

/** In order, as a sink does, in a session with the settings of Sluice's. */
async function create(task: Task, objects: readonly SchemaObject[]): Promise<void> {
  const client = await connect(task.destination, { applicationName: 'test', end: 'destination' });
  try {
    await client.query('SET check_function_bodies = off');
    for (const { kind, name, sql, leftOut } of objects) {
      if (leftOut !== null || (kind === 'schema' && name === 'public')) continue;
      await client.query(sql).catch((cause: unknown) => {
        throw new Error(`${kind} ${name}: ${String(cause)}: ${sql}`, { cause });
      });
    }
  } finally {
    await client.end();
  }
}

const names = (objects: readonly SchemaObject[], kind: string) =>
  objects
    .filter((object) => object.kind === kind && object.leftOut === null)
    .map(({ schema, name }) => `${schema}.${name}`);

describe('what is read makes the same objects at the destination', () => {
  async function roundTrip(ctx: TestContext): Promise<void> {
    await fill(ctx.source);
    await compare(ctx);
  }

  async function compare(ctx: TestContext): Promise<void> {
    const task = await taskOf(ctx, { schema: everything });
    const objects = await readObjects(task);
    expect(objects.map(({ number }) => number)).toEqual(objects.map((_, i) => i));
    for (const { number, needs = [] } of objects) for (const need of needs) expect(need).toBeLessThan(number);
    await create(task, objects);
    expect(await catalogOf(ctx.destination)).toEqual(await catalogOf(ctx.source));
  }

  /** Where there is a pg_dump that reads the server it has the last word; else the comparison above stands alone. */
  function compareDumps(ctx: TestContext, major: number): void {
    const oracle = pgDumpMajor();
    if (oracle === null || oracle < major) process.stdout.write(`PostgreSQL ${major}: compared without pg_dump\n`);
    else expect(dumpSchema(ctx.destination.url)).toBe(dumpSchema(ctx.source.url));
  }

  test('pg_dump says the same of both ends; of objects from a seed that need each other too', async () => {
    const major = oracleMajor();
    await using server = await ownPostgres({ major });
    for (const seed of [20_260, 20_261, 20_262]) {
      await using ctx = await testContext({ source: server.url, destination: server.url });
      for (const sql of randomSchema(new Random(seed), 80, major * 10_000)) await ctx.source.query(sql);
      await compare(ctx);
      compareDumps(ctx, major);
    }
    await using ctx = await testContext({ source: server.url, destination: server.url });
    await roundTrip(ctx);
    compareDumps(ctx, major);
  });

  test('at the version of the tests', async () => {
    await using ctx = await testContext();
    await roundTrip(ctx);
  });

  // Versions other than that of the tests are fetched first: TEST_POSTGRES_MAJORS=10,13,18
  const majors = (process.env['TEST_POSTGRES_MAJORS'] ?? '').split(',').filter((text) => text !== '');
  for (const major of majors.map(Number)) {
    test(`at version ${major}`, async () => {
      await using server = await ownPostgres({ major: major as 17 });
      await using ctx = await testContext({ source: server.url, destination: server.url });
      await roundTrip(ctx);
      compareDumps(ctx, major);
    });
  }
});

test('the comparison sees one difference', async () => {
  await using ctx = await testContext();
  await fill(ctx.source);
  const task = await taskOf(ctx, { schema: everything });
  await create(task, await readObjects(task));
  const before = await catalogOf(ctx.source);
  for (const change of [
    'COMMENT ON INDEX app.gin_idx IS NULL',
    'ALTER TABLE app.ids ALTER id SET GENERATED BY DEFAULT',
    'ALTER SEQUENCE app.big CACHE 2',
    'ALTER INDEX app.part_v RENAME TO part_w',
    'ALTER TABLE app.child ALTER b DROP DEFAULT',
  ]) {
    const earlier = await catalogOf(ctx.destination);
    await ctx.destination.query(change);
    const later = await catalogOf(ctx.destination);
    expect(later, change).not.toEqual(earlier);
    expect(later, change).not.toEqual(before);
  }
});

test('sections: what rows need, what comes after them, and what waits for cutover', async () => {
  await using ctx = await testContext();
  await fill(ctx.source);
  const objects = await readObjects(await taskOf(ctx));
  const kindsIn = (section: string) =>
    new Set(objects.filter((object) => object.section === section).map(({ kind }) => kind));
  expect(kindsIn('foreign-keys')).toEqual(new Set(['foreign key']));
  expect(kindsIn('cutover')).toEqual(
    new Set(['identity', 'row security', 'trigger state', 'rule state', 'event trigger']),
  );
  for (const kind of ['primary key', 'unique', 'exclusion', 'index', 'index attachment', 'replica identity']) {
    expect(kindsIn('post-data')).toContain(kind);
    expect(kindsIn('pre-data')).not.toContain(kind);
  }
  const ids = objects.find(({ kind, name }) => kind === 'table' && name === 'ids');
  expect(ids?.sql).toContain('GENERATED BY DEFAULT AS IDENTITY');
  expect(ids?.sql).not.toContain('GENERATED ALWAYS');
});

describe('the scope', () => {
  test('a named table brings what it needs, and nothing else', async () => {
    await using ctx = await testContext();
    await fill(ctx.source);
    const task = await taskOf(ctx, { tables: { include: ['app.customers'] } });
    const objects = await readObjects(task);
    expect(names(objects, 'table')).toEqual(['app.customers']);
    expect(names(objects, 'sequence')).toEqual(['app.customers_id_seq']);
    expect(names(objects, 'schema')).toEqual(['app.app', 'we"ird.schéma.we"ird.schéma']);
    expect(names(objects, 'domain')).toEqual(['app.emails', 'app.posint', 'app.posint2']);
    expect(names(objects, 'foreign key')).toEqual([]);
    await create(task, objects);
  });

  test('a partitioned table brings its partitions, a partition the tables above it', async () => {
    await using ctx = await testContext();
    await fill(ctx.source);
    const tree = ['app.part', 'app.part_new', 'app.part_new_1', 'app.part_new_2', 'app.part_old'];
    const all = await readObjects(await taskOf(ctx, { tables: { include: ['app.part'] } }));
    expect(names(all, 'table').sort()).toEqual(tree);
    const one = await readObjects(await taskOf(ctx, { tables: { include: ['app.part_new_1'] } }));
    expect(names(one, 'table')).toEqual(['app.part', 'app.part_new', 'app.part_new_1']);
    expect(names(one, 'partition')).toEqual(['app.part_new', 'app.part_new_1']);
  });

  test('an excluded table goes with its sequences and the foreign keys to it', async () => {
    await using ctx = await testContext();
    await fill(ctx.source);
    const task = await taskOf(ctx, { tables: { exclude: ['app.customers'] } });
    const objects = await readObjects(task);
    expect(names(objects, 'table')).not.toContain('app.customers');
    expect(names(objects, 'sequence')).not.toContain('app.customers_id_seq');
    expect(names(objects, 'sequence')).toContain('app.seq.alone');
    expect(names(objects, 'foreign key').filter((name) => name.includes('customer'))).toEqual([]);
    const customer = objects.find(({ kind, leftOut }) => kind === 'foreign key' && leftOut !== null);
    expect(customer).toMatchObject({ sql: '', leftOut: 'needs table app.customers, which is not selected' });
    await create(task, objects);
  });

  test('objects of extensions come with their extension', async () => {
    await using ctx = await testContext();
    await ctx.source.query('CREATE EXTENSION hstore; CREATE TABLE t (h hstore)');
    const objects = await readObjects(await taskOf(ctx));
    expect(objects.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'schema public',
      'extension hstore',
      'table t',
      'comment hstore',
    ]);
  });
});
