import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { endOf, produceForeign } from '../support/kafka-admin.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { manifestOf } from './capture-scenario.ts';

/** What other clients write to the topics counts for nobody, whatever it looks like, and stops nobody. */
test('foreign records in the topics of a task, while both services run and before they start', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text); INSERT INTO t DEFAULT VALUES');
  await using sink = startSink(ctx);
  {
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await expectCaughtUp(ctx, [capture, sink]);
    await pollute(ctx);
    await ctx.source.query('INSERT INTO t DEFAULT VALUES');
    await expectCaughtUp(ctx, [capture, sink]);
    // Each record that it did not expect before its own ended an attempt, and no more than that.
    expect(capture.output).toMatch(/next attempt in/);
    capture.signal('SIGTERM');
    await capture.exit();
  }
  sink.signal('SIGTERM');
  await sink.exit();
  await pollute(ctx);
  await using capture = startCapture(ctx);
  await using again = startSink(ctx);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES; UPDATE t SET note = 1');
  await expectCaughtUp(ctx, [capture, again]);
  const { ignoredManifestRecords } = await expectSoundTopics(ctx);
  expect(ignoredManifestRecords).toBeGreaterThanOrEqual(2 * 6);
});

async function pollute(ctx: TestContext): Promise<void> {
  const topic = (name: string) => `${ctx.task}.${name}`;
  const { counted } = await manifestOf(ctx);
  const { offset, voided, ...last } = counted.at(-1)!;
  const end = await endOf(ctx, topic('manifest'));
  const forged = (at: number, changes: object) => JSON.stringify({ ...last, ...changes, at: String(at) });
  const manifest = [
    'not a record of a manifest',
    '{"kind":"batch"}',
    JSON.stringify(last),
    // At its own offset, under an epoch that is not the newest; an epoch record that stands elsewhere.
    forged(end + 4, { epoch: '00000000-0000-4000-8000-000000000000' }),
    forged(end + 1, { kind: 'epoch' }),
  ];
  await produceForeign(ctx, topic('manifest'), {
    messages: [{ value: null }, ...manifest.map((value) => ({ value }))],
  });
  const compression = kafkajs.CompressionTypes.GZIP;
  await produceForeign(ctx, topic('manifest'), { messages: [{ value: 'compressed' }], compression });
  for (const name of ['public.t', 'snapshot', 'schema-changes']) {
    await produceForeign(ctx, topic(name), {
      messages: [
        { key: '1', value: 'foreign' },
        { key: '2', value: null },
      ],
    });
    await produceForeign(ctx, topic(name), { messages: [{ value: 'compressed' }], compression });
  }
}
