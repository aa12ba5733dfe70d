import { describe, expect, test } from 'vitest';
import { runSnapshot } from '../../services/capture/snapshot/snapshot.ts';
import { testContext } from '../support/context.ts';
import { readingTask } from './snapshot-reading-task.ts';

const rowsOf = (chunks: readonly { rows: number }[]) => chunks.reduce((sum, { rows }) => sum + rows, 0);

describe('a table that changes between the snapshot and its reading', () => {
  test.each([
    ['VACUUM FULL t'],
    ['CLUSTER t USING t_pkey'],
    ['TRUNCATE t; INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i'],
  ])('is read anew after %s', async (statement) => {
    await using ctx = await testContext();
    await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (a int)');
    await ctx.source.query('INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i; INSERT INTO other VALUES (1)');
    const reading = await readingTask(ctx);
    const keeper = await reading.keeper();
    await ctx.source.query(statement);
    const manifest = await reading.attempt();
    await reading.read({ manifest, keeper });
    const records = await reading.manifest();
    const reloads = records.filter((record) => record.kind === 'reload' && record.table.name === 't');
    expect(reloads).toHaveLength(2);
    const read = manifest.state.reads.get('"public"."t"');
    expect(read).toMatchObject({ state: 'read', rows: 1000n, generation: reloads[1]?.at });
    expect(read?.snapshot).not.toEqual(keeper.identity);
    expect(manifest.state.reads.get('"public"."other"')?.snapshot).toEqual(keeper.identity);
    expect(rowsOf((await reading.chunks()).filter(({ name }) => name === 't'))).toBe(1000);
  });

  test.each([
    ['ALTER TABLE t RENAME COLUMN v TO x; ALTER TABLE t RENAME COLUMN w TO v; ALTER TABLE t RENAME COLUMN x TO w'],
    ['ALTER TABLE t DROP COLUMN v'],
    ['ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v text'],
    ['ALTER TABLE t RENAME TO gone'],
    ['ALTER TABLE t RENAME TO gone; CREATE TABLE t (id int PRIMARY KEY, v text, w text)'],
  ])('ends the attempt after %s', async (statement) => {
    await using ctx = await testContext();
    await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY, v text, w text); INSERT INTO t VALUES (1, 2, 3)');
    const reading = await readingTask(ctx);
    const tables = await reading.tables();
    const keeper = await reading.keeper();
    await ctx.source.query(statement);
    const manifest = await reading.attempt();
    const { signal } = new AbortController();
    await expect(runSnapshot({ ...reading, tables, keeper, manifest, signal })).rejects.toMatchObject({
      code: 'SOURCE_TABLE_RESHAPED',
      message: expect.stringContaining('"public"."t"'),
    });
    expect(manifest.state.reads.get('"public"."t"')?.state).toBe('reading');
  });

  test('is left out when it was dropped', async () => {
    await using ctx = await testContext();
    await ctx.source.query('CREATE TABLE t (id int); CREATE TABLE other (a int); INSERT INTO other VALUES (1)');
    const reading = await readingTask(ctx);
    const tables = await reading.tables();
    const keeper = await reading.keeper();
    await ctx.source.query('DROP TABLE t');
    const manifest = await reading.attempt();
    await runSnapshot({ ...reading, tables, keeper, manifest, signal: new AbortController().signal });
    expect(manifest.state.reads.get('"public"."t"')?.state).toBe('dropped');
    expect(manifest.state.reads.get('"public"."other"')?.state).toBe('read');
  });
});

test('a later attempt keeps what was read and reads the rest anew', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE a (id int); INSERT INTO a SELECT generate_series(1, 100)');
  const reading = await readingTask(ctx);
  await reading.read({ manifest: await reading.attempt() });
  await ctx.source.query('CREATE TABLE b (id int); INSERT INTO b SELECT generate_series(1, 10)');
  const second = await reading.attempt();
  await second.append({ kind: 'reload', table: { schema: 'public', name: 'b' } });
  const interrupted = second.state.reads.get('"public"."b"')?.generation;
  const third = await reading.attempt();
  const first = third.state.reads.get('"public"."a"');
  await reading.read({ manifest: third });
  expect(third.state.reads.get('"public"."a"')).toEqual(first);
  const read = third.state.reads.get('"public"."b"');
  expect(read).toMatchObject({ state: 'read', rows: 10n });
  expect(read?.generation).toBeGreaterThan(interrupted ?? 0n);
});

describe('the reading ends at once', () => {
  async function largeTable() {
    const ctx = await testContext();
    await ctx.source.query(
      `CREATE TABLE large (id int, filler text);
      INSERT INTO large SELECT i, repeat('x', 1000) FROM generate_series(1, 40000) i`,
    );
    return { ctx, reading: await readingTask(ctx), [Symbol.asyncDispose]: () => ctx[Symbol.asyncDispose]() };
  }

  test('when it is asked to', async () => {
    await using large = await largeTable();
    const { reading, ctx } = large;
    const manifest = await reading.attempt();
    const stop = new AbortController();
    const reason = new Error('asked to stop');
    const aborting = {
      ...manifest,
      state: manifest.state,
      append: async (body: Parameters<typeof manifest.append>[0]) => {
        const offset = await manifest.append(body);
        if (body.kind === 'chunks') stop.abort(reason);
        return offset;
      },
    };
    await expect(reading.read({ manifest: aborting, signal: stop.signal, bytesInFlight: 2_000_000 })).rejects.toBe(
      reason,
    );
    expect(manifest.state.reads.get('"public"."large"')?.state).toBe('reading');
    const left = 'SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE $1';
    await expect.poll(() => ctx.source.value(left, [`sluice ${ctx.task} %`])).toBe('0');
  });

  test('when a reading session is ended in the middle', async () => {
    await using large = await largeTable();
    const { reading, ctx } = large;
    const manifest = await reading.attempt();
    const end = 'SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1';
    let ended = 0;
    const ending = {
      ...manifest,
      state: manifest.state,
      append: async (body: Parameters<typeof manifest.append>[0]) => {
        const offset = await manifest.append(body);
        if (body.kind === 'chunks') ended += Number(await ctx.source.value(end, [`sluice ${ctx.task} snapshot`]));
        return offset;
      },
    };
    const reads = reading.read({ manifest: ending, bytesInFlight: 2_000_000 });
    await expect(reads).rejects.toMatchObject({ code: 'POSTGRES_UNREACHABLE', retry: 'retry' });
    expect(ended).toBeGreaterThan(0);
    expect(manifest.state.reads.get('"public"."large"')?.state).toBe('reading');
  });

  test('when the session of the snapshot ends', async () => {
    await using large = await largeTable();
    const { reading, ctx } = large;
    const keeper = await reading.keeper();
    await ctx.source.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'test keeper' AND datname = current_database()`,
    );
    await expect(reading.read({ manifest: await reading.attempt(), keeper })).rejects.toMatchObject({
      code: 'POSTGRES_UNREACHABLE',
    });
    expect(keeper.lost.aborted).toBe(true);
  });
});
