import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { applied, expectCaughtUp, fenceAt, startCapture, startSink } from '../support/sink-scenario.ts';

/** 200,000 by hand. */
const transactions = Number(process.env['SLUICE_TRANSACTIONS'] ?? 4_000);
const clients = 4;

/** A server-side loop commits faster than any client: each transaction is one of several small ones. */
const work = `
  CREATE TABLE item (id int PRIMARY KEY, touched int NOT NULL DEFAULT 0, note text);
  CREATE TABLE trail (client int, number int);
  ALTER TABLE trail REPLICA IDENTITY FULL;
  CREATE PROCEDURE work(client int, amount int) LANGUAGE plpgsql AS $$
  BEGIN
    FOR number IN 1..amount LOOP
      CASE number % 4
        WHEN 0 THEN INSERT INTO item (id, note) VALUES (client * 1000000 + number, 'new'); INSERT INTO trail VALUES (client, number % 50);
        WHEN 1 THEN UPDATE item SET touched = touched + 1 WHERE id = client * 1000000 + number - 1;
          INSERT INTO item (id) VALUES (client * 1000000 + number);
        WHEN 2 THEN UPDATE item SET id = -id WHERE id = client * 1000000 + number - 1;
        ELSE DELETE FROM item WHERE id = client * 1000000 + number - 7; INSERT INTO trail VALUES (client, -1);
      END CASE;
      COMMIT;
    END LOOP;
  END $$`;

test(`${transactions} small transactions of ${clients} clients arrive, each once`, async () => {
  await using ctx = await testContext();
  await ctx.source.query(work);
  await using capture = startCapture(ctx, { types: 'full,incremental' });
  await capture.wrote(/streaming/, 120_000);
  await ctx.destination.query(work);
  await using sink = startSink(ctx, { types: 'full,incremental' });
  const connections = await Promise.all(Array.from({ length: clients }, () => ctx.source.connect()));
  await Promise.all(
    connections.map(async (client, index) => {
      await client.query('SET synchronous_commit = off');
      await client.query(`CALL work(${index + 1}, ${transactions / clients})`);
      await client.end();
    }),
  );
  const running = [capture, sink];
  await applied(ctx.destination, await fenceAt(ctx), { running, timeoutMs: 60_000 + transactions * 5 });
  await expectCaughtUp(ctx, running);
  const report = await expectSoundTopics(ctx);
  expect(report.transactions).toBe(transactions);
}, 1_800_000);
