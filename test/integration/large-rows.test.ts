import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { ownKafka } from '../support/own-servers.ts';
import { expectCaughtUp, startCapture, startSink, streaming } from '../support/sink-scenario.ts';

/** Rows of 50 MiB go through snapshot and stream with the default settings; a row above the limit stops the task. */

const MIB = 1024 * 1024;
/** Does not compress by more than what hexadecimal digits waste. */
const RANDOM = `(SELECT string_agg(sha512(((x + i)::text)::bytea), ''::bytea) FROM generate_series(1, 16384) i)`;

test('rows of 50 MiB', { timeout: 600_000 }, async () => {
  // Records of this size fill a broker's memory: the others' is left alone.
  await using kafka = await ownKafka();
  await using ctx = await testContext({ brokers: kafka.bootstrap });
  await ctx.source.query(`
    CREATE TABLE large (id int PRIMARY KEY, t text, b bytea, n int);
    CREATE TABLE large_full (id int PRIMARY KEY, t text, n int);
    ALTER TABLE large_full REPLICA IDENTITY FULL;
    ALTER TABLE large_full ALTER t SET STORAGE EXTERNAL;
    INSERT INTO large SELECT x, NULL, string_agg(m, ''), 0 FROM generate_series(1, 1) x,
      LATERAL (SELECT ${RANDOM} AS m FROM generate_series(1, 50)) r GROUP BY x;
    INSERT INTO large_full SELECT 1, repeat(encode(b, 'hex'), 1), 0 FROM (SELECT substr(b, 1, ${25 * MIB}) AS b FROM large WHERE id = 1) x;`);
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await streaming(ctx, [capture, sink]);
  // Two in one transaction; one whose old and new image both carry it; one that does not change.
  const text = `repeat(E'\\\\"\\n', ${MIB}) || repeat('ü', ${22 * MIB})`;
  await ctx.source.query(`
    BEGIN;
    INSERT INTO large SELECT 11, t, b, n FROM large;
    INSERT INTO large VALUES (12, ${text}, NULL, 0);
    COMMIT`);
  await ctx.source.query("UPDATE large_full SET t = t || 'x', n = 1");
  await ctx.source.query('UPDATE large SET n = 1; DELETE FROM large WHERE id = 11');
  await expectCaughtUp(ctx, [capture, sink]);
});

test('a row above the limit stops the task, which goes on when the limit is raised', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`
    CREATE TABLE notes (note text, id int, part text, PRIMARY KEY (id, part));
    INSERT INTO notes SELECT 'x', i, 'a' FROM generate_series(1, 100) i;
    INSERT INTO notes VALUES (repeat('ab', 600000), 101, 'b'), ('x', 102, 'c')`);
  await expectRefused(ctx, 1_000_000, /row with key \["101","b"\] of "public"."notes" has 1200006 bytes as COPY text/);
  await using capture = startCapture(ctx, { args: await limited(ctx, 2_000_000) });
  await using sink = startSink(ctx, { args: await limited(ctx, 2_000_000) });
  await streaming(ctx, [capture, sink]);
  await ctx.source.query(`INSERT INTO notes VALUES ('y', 200, 'a')`);
  await expectCaughtUp(ctx, [capture, sink]);
  await ctx.source.query(`BEGIN; INSERT INTO notes VALUES (repeat('cd', 1500000), 201, 'b'), ('z', 202, ''); COMMIT`);
  expect((await capture.exit()).code).not.toBe(0);
  expect(capture.output).toMatch(
    /KAFKA_RECORD_TOO_LARGE: .*row with key \["201","b"\].* makes an event of 300\d{4} bytes/,
  );
  expect(capture.output).toMatch(/kafka.maxMessageBytes/);
  await ctx.source.query(`INSERT INTO notes VALUES ('after', 300, 'a')`);
  await expectRefused(ctx, 2_000_000, /row with key \["201","b"\] of "public"."notes" makes an event/);
  await using raised = startCapture(ctx, { args: await limited(ctx, 8_000_000) });
  await expectCaughtUp(ctx, [raised, sink]);
});

async function expectRefused(ctx: TestContext, limit: number, message: RegExp): Promise<void> {
  await using capture = startCapture(ctx, { args: await limited(ctx, limit) });
  expect((await capture.exit()).code).not.toBe(0);
  expect(capture.output).toMatch(/KAFKA_RECORD_TOO_LARGE/);
  expect(capture.output).toMatch(message);
}

/** As arguments of a service. */
async function limited(ctx: TestContext, maxMessageBytes: number): Promise<string[]> {
  const path = join(await mkdtemp(join(tmpdir(), 'sluice-large-')), 'task.json');
  const kafka = { brokers: ctx.brokers, registry: { url: ctx.registry }, maxMessageBytes };
  const ends = { source: { url: ctx.source.url }, destination: { url: ctx.destination.url } };
  await writeFile(path, JSON.stringify({ name: ctx.task, ...ends, kafka }));
  return ['--task-file', path];
}
