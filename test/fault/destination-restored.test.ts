import pg from 'pg';
import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { dataCopy, ownPostgres } from '../support/own-servers.ts';
import { appliedPosition, expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { expectSinkStops } from '../support/stopped.ts';

/** What the destination forgot is in Kafka: it is applied again from where the destination says it stands. */
test('destination restored from an older backup, then dropped and made anew', async () => {
  await using server = await ownPostgres();
  await using ctx = await testContext({ destination: server.url });
  await ctx.source.query('CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)');
  await ctx.source.query('INSERT INTO t SELECT i FROM generate_series(1, 100) i');
  await using capture = startCapture(ctx);
  await using sink = startSink(ctx);
  await capture.wrote(/streaming/);
  const change = () => ctx.source.query('UPDATE t SET n = n + 1');
  await change();
  await expectCaughtUp(ctx, [capture, sink]);
  await ctx.destination.disconnect();
  await server.stop();
  using older = dataCopy(server);
  await server.restart();
  await change();
  const before = await expectCaughtUp(ctx, [capture, sink]);

  // The sink runs on: to it the destination was away for a while.
  await ctx.destination.disconnect();
  await server.stop();
  older.restore();
  await server.restart();
  expect(Number((await appliedPosition(ctx.destination))['position'])).toBeLessThan(Number(before['position']));
  await change();
  const after = await expectCaughtUp(ctx, [capture, sink]);
  expect(await ctx.destination.value('SELECT DISTINCT n FROM t')).toBe('3');
  expect(after).toMatchObject({ events: '300', transactions: '3' });
  sink.signal('SIGTERM');
  await sink.exit();

  await anew(ctx, server.url);
  await using again = startSink(ctx);
  await change();
  await expectCaughtUp(ctx, [capture, again]);
  expect(await ctx.destination.value('SELECT DISTINCT n FROM t')).toBe('4');
  await expectSoundTopics(ctx);
  again.signal('SIGTERM');
  await again.exit();

  // Rows without what the sink knew of them: it would load them a second time.
  await ctx.destination.query('DROP SCHEMA sluice CASCADE');
  await expectSinkStops(ctx, 'DESTINATION_OBJECT_EXISTS', /"?public"?\."?t"?/);
  await ctx.destination.query('DROP TABLE t');
  await using last = startSink(ctx);
  await expectCaughtUp(ctx, [capture, last]);
});

async function anew({ destination }: TestContext, server: string): Promise<void> {
  await destination.disconnect();
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`DROP DATABASE ${destination.name} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${destination.name} TEMPLATE template0`);
  await client.end();
}
