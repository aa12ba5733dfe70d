import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../deploy/local/postgres-server.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownPostgres, ownStandby, temporaryDir } from '../support/own-servers.ts';
import type { SluiceProcess } from '../support/processes.ts';
import { applied, expectCaughtUp, fenceAt, firstApplied, startCapture, startSink } from '../support/sink-scenario.ts';
import { slotOf } from './capture-scenario.ts';

/**
 * The primary is lost and a standby promoted: capture goes on where its slot is, at whatever of the source's addresses
 * takes writes, and stops where something that it published, or its slot, is not.
 */
describe('a standby of the source is promoted', () => {
  test('capture goes on where the slot is; where it is not, it says so', async () => {
    await using primary = await ownPostgres({ settings: { synchronized_standby_slots: 'with_slots, without_slots' } });
    await using standby = await ownStandby(primary, { slot: 'with_slots', settings: { sync_replication_slots: 'on' } });
    await using other = await ownStandby(primary, { slot: 'without_slots' });
    await using ctx = await testContext({ source: primary.url });
    await createTable(ctx);
    const args = ['--task-file', taskFile(ctx), '--source', addresses(ctx, standby, primary)];
    await using capture = startCapture(ctx, { args });
    await using sink = startSink(ctx, { args });
    await firstChange(ctx);
    await slotIsReady(standby, ctx);
    const writes = writeUntilRefused(ctx);
    await eventually(() => writes.count() > 50);
    await primary.kill();
    expect(await writes.end).toBeGreaterThan(50);

    const elsewhere = await promote(other, ctx);
    await using refused = startCapture(elsewhere, { args: ['--task-file', taskFile(ctx)] });
    await expectStop(refused, 'SOURCE_SLOT_MISSING', /not on the server that was promoted to timeline 2/);

    const promoted = await promote(standby, ctx);
    await promoted.source.query(`INSERT INTO counted (note) SELECT 'promoted' FROM generate_series(1, 100)`);
    await promoted.source.query(`UPDATE counted SET note = 'again' WHERE id % 3 = 0`);
    await expectCaughtUp(promoted, [capture, sink]);
    const report = await expectSoundTopics(promoted);
    expect(report.epochs).toBeGreaterThan(1);
  });

  test('published changes that the promoted standby never had end the task', async () => {
    await using primary = await ownPostgres();
    await using standby = await ownStandby(primary, { slot: 'behind', settings: { sync_replication_slots: 'on' } });
    await using ctx = await testContext({ source: primary.url });
    await createTable(ctx);
    const args = ['--task-file', taskFile(ctx), '--source', addresses(ctx, primary, standby)];
    await using capture = startCapture(ctx, { args });
    await using sink = startSink(ctx, { args });
    await firstChange(ctx);
    await slotIsReady(standby, ctx);
    await standby.stop();
    await ctx.source.query(`INSERT INTO counted (note) VALUES ('lost')`);
    await applied(ctx.destination, await fenceAt(ctx), { running: [capture, sink] });
    await primary.kill();
    await standby.restart();
    await promote(standby, ctx);
    await expectStop(capture, 'SOURCE_OTHER_TIMELINE', /published up to .* ended at/);
  });
});

async function createTable(ctx: TestContext): Promise<void> {
  await ctx.source.query('CREATE TABLE counted (id bigserial PRIMARY KEY, note text)');
}

/** What the test's options cannot say. */
function taskFile(ctx: TestContext): string {
  const path = join(temporaryDir('task'), 'task.json');
  writeFileSync(path, JSON.stringify({ name: ctx.task, source: { failoverSlot: true } }));
  return path;
}

/** One URL for several servers. */
function addresses({ source }: TestContext, ...servers: PostgresServer[]): string {
  const list = servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return `${source.url.replace(/127\.0\.0\.1:\d+/, list)}?target_session_attrs=read-write`;
}

async function firstChange(ctx: TestContext): Promise<void> {
  const slot = 'SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND active AND failover';
  await eventually(async () => (await ctx.source.value(slot, [slotOf(ctx)])) === '1', { what: 'a failover slot' });
  await ctx.source.query(`INSERT INTO counted (note) VALUES ('first')`);
  await firstApplied(ctx.destination);
}

/**
 * The standby's copy would outlive a promotion. It is taken when the slot at the primary moves past what the standby
 * could keep; a standby that has long seen nothing to synchronise looks seldom, a new one often.
 */
async function slotIsReady(standby: PostgresServer, ctx: TestContext): Promise<void> {
  await standby.restart();
  const database = TestDatabase.at({ server: standby.url, name: 'postgres', cleanup: ctx });
  const ready = 'SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND synced AND NOT temporary';
  const looked = async () => {
    await ctx.source.query(`SELECT pg_log_standby_snapshot(); INSERT INTO counted (note) VALUES ('moves the slot')`);
    return (await database.value(ready, [slotOf(ctx)])) === '1';
  };
  await eventually(looked, { what: 'a synchronised slot', intervalMs: 200 });
  await database.disconnect();
}

function writeUntilRefused(ctx: TestContext) {
  let count = 0;
  const write = async (): Promise<number> => {
    for (;;) {
      try {
        await ctx.source.query(`INSERT INTO counted (note) VALUES ('n' || $1)`, [count]);
        count += 1;
      } catch {
        return count;
      }
    }
  };
  return { count: () => count, end: write() };
}

/** The test's context with the promoted server as the source. */
async function promote(standby: PostgresServer, ctx: TestContext): Promise<TestContext> {
  const source = TestDatabase.at({ server: standby.url, name: ctx.source.name, cleanup: ctx });
  await source.query('SELECT pg_promote()');
  return { ...ctx, source };
}

async function expectStop(process: SluiceProcess, code: string, says: RegExp): Promise<void> {
  expect((await process.exit()).code, process.output).not.toBe(0);
  expect(process.stderr).toMatch(new RegExp(`^error ${code}: .*${says.source}`, 'm'));
  expect(process.stderr).toMatch(/^\s*remedy: \S/m);
}
