import { describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { jsonOf } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';
import { Failpoints } from '../support/failpoints.ts';
import { endOf, produceForeign, withAdmin } from '../support/kafka-admin.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { manifestOf } from './capture-scenario.ts';

/** A checkpoint every few records, where a task of usual length would have none. */
const tuning = { SLUICE_TUNING: '{"checkpointBytes":1500}' };

/**
 * Services that start begin at a checkpoint, and go on exactly where those that read the whole manifest would; killed
 * around the append of one, capture leaves nothing that others could take for one.
 */
describe('a task that lives over many checkpoints', () => {
  test.each([
    ['before the append of one', 'capture.before-checkpoint', 4],
    ['after the append of one', 'capture.after-checkpoint', 4],
    ['in the middle of a large transaction', 'capture.mid-transaction', 3],
  ])('capture killed %s, the sink killed too', async (_, point, hit) => {
    await using ctx = await testContext();
    await ctx.source.query('CREATE TABLE t (id bigserial PRIMARY KEY, n int)');
    await ctx.source.query('INSERT INTO t (n) SELECT 0 FROM generate_series(1, 100)');
    await using failpoints = new Failpoints(`${point}=kill@${hit};sink.before-commit=kill@9`);
    const env = { ...tuning, ...failpoints.env };
    await using killed = startCapture(ctx, { env });
    await using killedSink = startSink(ctx, { env });
    await killed.wrote(/streaming/, 120_000);
    const writing = (async () => {
      if (point === 'capture.mid-transaction') await ctx.source.query('UPDATE t SET n = n + 1');
      if (point === 'capture.mid-transaction')
        await ctx.source.query('INSERT INTO t (n) SELECT 0 FROM generate_series(1, 17000)');
      await eventually(
        async () => {
          await writeSingly(ctx, 3);
          return !killed.running && !killedSink.running;
        },
        { timeoutMs: 120_000, what: 'both ends' },
      );
    })();
    expect(await killed.exit(120_000)).toEqual({ code: null, signal: 'SIGKILL' });
    await using capture = startCapture(ctx, { env });
    expect(await killedSink.exit(120_000)).toEqual({ code: null, signal: 'SIGKILL' });
    await writing;
    expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    await using sink = startSink(ctx, { env });
    await writeUntilCheckpoints(ctx, { from: 0, count: 9 });
    await expectCaughtUp(ctx, [capture, sink]);
    const { epochs, transactions } = await expectSoundTopics(ctx);
    expect(epochs).toBe(2);
    expect(await statusOf(ctx)).toMatchObject({ published: transactions, applied: transactions });
  });
});

test('foreign records at the end, and records before the newest checkpoint that are gone', async () => {
  await using ctx = await testContext();
  const manifest = `${ctx.task}.manifest`;
  await ctx.source.query('CREATE TABLE t (id bigserial PRIMARY KEY, n int)');
  {
    await using capture = startCapture(ctx, { env: tuning });
    await using sink = startSink(ctx);
    await capture.wrote(/streaming/);
    await writeSingly(ctx, 60);
    await expectCaughtUp(ctx, [capture, sink]);
    for (const process of [capture, sink]) {
      process.signal('SIGTERM');
      expect((await process.exit()).code).toBe(0);
    }
  }
  const { counted } = await manifestOf(ctx);
  const end = await endOf(ctx, manifest);
  const newest = counted.findLast(({ kind }) => kind === 'checkpoint');
  const { offset, voided, ...copy } = newest!;
  // A checkpoint of an epoch that is over, at its own place, and a record that names it; then what names none.
  const over = { epoch: '00000000-0000-4000-8000-000000000000' };
  const forged = [
    { ...copy, ...over, at: String(end) },
    { ...counted.at(-1), ...over, at: String(end + 1), checkpoint: String(end) },
    { ...counted.at(-1), ...over, at: String(end + 2), checkpoint: '0' },
  ];
  const messages = forged.map((record) => ({ value: JSON.stringify(record) }));
  await produceForeign(ctx, manifest, { messages: [...messages, { value: 'foreign' }, { value: null }] });
  expect(await statusOf(ctx)).toEqual({ published: 60, applied: 60 });
  {
    await using capture = startCapture(ctx, { env: tuning });
    await using sink = startSink(ctx);
    await writeUntilCheckpoints(ctx, { from: end, count: 4 });
    await expectCaughtUp(ctx, [capture, sink]);
    await expectSoundTopics(ctx);
  }
  const kept = (await checkpoints(ctx)).at(-2);
  const { applied } = await statusOf(ctx);
  expect(applied).toBeGreaterThan(60);
  await withAdmin(ctx, async (admin) => {
    await admin.fetchTopicOffsets(manifest);
    const partitions = [{ partition: 0, offset: String(kept) }];
    await admin.deleteTopicRecords({ topic: manifest, partitions });
  });
  // The sink has applied what is gone, and status shows it; capture does not go on over a manifest that lost records.
  await using sink = startSink(ctx);
  const sessions = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice sink ${ctx.task}/main apply%'`;
  await eventually(async () => (await ctx.destination.value(sessions)) !== '0', { what: 'its session' });
  expect(await statusOf(ctx)).toEqual({ published: applied, applied });
  await using refused = startCapture(ctx);
  expect((await refused.exit()).code).toBeGreaterThan(0);
  expect(refused.stderr).toMatch(
    /^error KAFKA_RECORDS_GONE: .*manifest\/0 begins at offset \d+: its first records are/m,
  );
  expect(sink.running).toBe(true);
});

async function writeSingly(ctx: TestContext, transactions: number): Promise<void> {
  for (let i = 0; i < transactions; i++) await ctx.source.query('INSERT INTO t (n) VALUES (1)');
}

/** How many transactions a manifest record holds, and so how many records there are, is a matter of speed. */
async function writeUntilCheckpoints(ctx: TestContext, { from, count }: { from: number; count: number }) {
  const enough = async () => {
    await writeSingly(ctx, 3);
    return (await checkpoints(ctx)).filter((at) => at >= from).length >= count;
  };
  await eventually(enough, { timeoutMs: 120_000, what: `${count} checkpoints` });
}

/** Their offsets. */
async function checkpoints(ctx: TestContext): Promise<number[]> {
  const { counted } = await manifestOf(ctx);
  return counted.filter(({ kind }) => kind === 'checkpoint').map(({ offset }) => offset);
}

async function statusOf(ctx: TestContext): Promise<{ published: number; applied: number }> {
  const status = await jsonOf(ctx, 'status');
  const transactions = status['transactions'] as { published: number; applied: number };
  return { published: Number(transactions.published), applied: Number(transactions.applied) };
}
