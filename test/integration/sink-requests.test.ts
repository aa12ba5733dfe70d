import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { lsnOf } from '../support/manifest-log.ts';
import type { SluiceProcess } from '../support/processes.ts';
import { applied, appliedPosition, fenceAt, startCapture, startSink } from '../support/sink-scenario.ts';

let ctx: TestContext;
let capture: SluiceProcess;
let sink: SluiceProcess;

beforeAll(async () => {
  ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id bigserial PRIMARY KEY, n int)');
  capture = startCapture(ctx);
  sink = startSink(ctx);
  await capture.wrote(/streaming/, 120_000);
  await eventually(() => appliedPosition(ctx.destination), { timeoutMs: 120_000 });
  await applied(ctx.destination, await fenceAt(ctx), { running: [capture, sink] });
});

afterAll(async () => {
  await sink[Symbol.asyncDispose]();
  await capture[Symbol.asyncDispose]();
  await ctx[Symbol.asyncDispose]();
});

async function ask(kind: string, lsn: string | null = null): Promise<void> {
  await ctx.destination.query(
    `INSERT INTO sluice.request (task, sink, kind, lsn, state) VALUES ($1, 'main', $2, $3, 'requested')
     ON CONFLICT (task, sink) DO UPDATE SET kind = EXCLUDED.kind, lsn = EXCLUDED.lsn, state = 'requested', reached_lsn = NULL`,
    [ctx.task, kind, lsn],
  );
}

const isReached = () =>
  eventually(async () => (await ctx.destination.value('SELECT state FROM sluice.request')) === 'reached');
const write = (n: number) => ctx.source.query('INSERT INTO t (n) VALUES ($1)', [n]);
const written = async () => (await ctx.destination.query('SELECT n FROM t ORDER BY n')).map(({ n }) => Number(n));

/** Commit LSN of the one transaction that this writes. */
async function writeAt(n: number): Promise<{ before: string; after: string }> {
  const before = (await ctx.source.value('SELECT pg_current_wal_insert_lsn()'))!;
  await write(n);
  return { before, after: (await ctx.source.value('SELECT pg_current_wal_insert_lsn()'))! };
}

describe('requests of control', () => {
  test('hold: nothing more is applied; run-to: exactly what commits below; without a request: on', async () => {
    await ask('hold');
    await isReached();
    const held = await appliedPosition(ctx.destination);
    await write(1);
    const second = await writeAt(2);
    await write(3);
    // All three are counted in the manifest, and the sink must have had the chance to take them.
    const fence = await fenceAt(ctx);
    await eventually(async () => (await confirmedLsn()) >= fence);
    expect(await written()).toEqual([]);
    expect((await appliedPosition(ctx.destination))['position']).toBe(held['position']);

    await ask('run-to', second.before);
    await isReached();
    expect(await written()).toEqual([1]);
    await ask('run-to', second.after);
    await isReached();
    expect(await written()).toEqual([1, 2]);
    expect(await ctx.destination.value('SELECT reached_lsn >= lsn FROM sluice.request')).toBe('t');

    await ctx.destination.query('DELETE FROM sluice.request');
    await eventually(async () => (await written()).length === 3);
  });

  test('run-to a point with nothing before it is reached by a heartbeat', async () => {
    await ask('run-to', (await ctx.source.value('SELECT pg_current_wal_insert_lsn()'))!);
    await fenceAt(ctx);
    await isReached();
    await ctx.destination.query('DELETE FROM sluice.request');
  });

  test('finish: applies what commits below, ends with exit code 0, and stays ended when started again', async () => {
    await write(4);
    const { before } = await writeAt(5);
    await ask('finish', before);
    expect(await sink.exit()).toEqual({ code: 0, signal: null });
    expect(await written()).toEqual([1, 2, 3, 4]);
    expect(await ctx.destination.value('SELECT state FROM sluice.request')).toBe('reached');
    await using again = startSink(ctx);
    expect(await again.exit()).toEqual({ code: 0, signal: null });
    expect(await written()).toEqual([1, 2, 3, 4]);
    await ctx.destination.query(`UPDATE sluice.sink SET phase = 'cut over'`);
    await using refused = startSink(ctx);
    expect(await refused.exit()).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('error DESTINATION_CUT_OVER');
  });
});

async function confirmedLsn(): Promise<bigint> {
  const slot = `sluice_${ctx.task.replaceAll('-', '_')}`;
  const sql = 'SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1';
  return lsnOf((await ctx.source.value(sql, [slot])) ?? '0/0');
}
