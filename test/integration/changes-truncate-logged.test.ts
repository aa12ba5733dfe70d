import { expect, test } from 'vitest';
import type { TestContext } from '../support/context.ts';
import { testContext } from '../support/context.ts';
import { jsonOf, runCommand } from '../support/control-command.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';

/** PostgreSQL 10 does not decode TRUNCATE; triggers put it into the stream, and the order in a transaction is kept. */
test('TRUNCATE at PostgreSQL 10 reaches the destination', async () => {
  await using server = await ownPostgres({ major: 10 });
  await using ctx = await testContext({ source: server.url });
  await ctx.source.query(`
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
    CREATE TABLE "Od d" (id serial PRIMARY KEY, note text);
    CREATE TABLE parts (id int, note text) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (10);
    CREATE TABLE high PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES FROM (10) TO (20);
    CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO "Od d" (note) VALUES ('of a trigger'); RETURN NULL; END $$;
    CREATE TRIGGER a AFTER TRUNCATE ON "Od d" EXECUTE PROCEDURE again()`);
  const fill = `INSERT INTO parent SELECT generate_series(1, 9); INSERT INTO child SELECT n, n FROM generate_series(1, 9) n;
    INSERT INTO "Od d" (note) SELECT 'n' FROM generate_series(1, 9); INSERT INTO parts SELECT generate_series(0, 19)`;
  await ctx.source.query(fill);
  {
    await using capture = startCapture(ctx);
    await using sink = startSink(ctx);
    await expectCaughtUp(ctx, [capture, sink]);
    await ctx.source.query('CREATE ROLE truncating; GRANT TRUNCATE ON "Od d" TO truncating');
    for (const sql of truncates) {
      await ctx.source.query(sql);
      await expectCaughtUp(ctx, [capture, sink]);
      await ctx.source.query(`TRUNCATE parent, child, "Od d", parts; ${fill}`);
    }
    await expectCaughtUp(ctx, [capture, sink]);
    await expectSoundTopics(ctx);
    expect(await ctx.source.value('SELECT count(*) FROM sluice.truncate_log')).toBe('0');
  }
  await disabledTriggerStops(ctx);
  await runCommand(ctx, 'release', { args: ['--take-over'] });
  const left = `SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~sluice%') + (SELECT count(*) FROM pg_publication)
    + (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice')`;
  expect(await ctx.source.value(left)).toBe('0');
  await ctx.source.query('TRUNCATE parts');
  expect(await jsonOf(ctx, 'release')).toMatchObject({ source: { slot: null, publication: null } });
});

const truncates = [
  'TRUNCATE parent CASCADE',
  'TRUNCATE child, parent; INSERT INTO parent VALUES (1)',
  'BEGIN; INSERT INTO "Od d" (note) VALUES (\'gone\'); TRUNCATE "Od d"; INSERT INTO "Od d" (note) VALUES (\'stays\'); COMMIT',
  'BEGIN; SAVEPOINT a; TRUNCATE child; ROLLBACK TO a; DELETE FROM child WHERE id = 1; COMMIT',
  'BEGIN; TRUNCATE child; INSERT INTO child VALUES (1, 1); TRUNCATE child; INSERT INTO child VALUES (2, 2); COMMIT',
  'TRUNCATE parts',
  'TRUNCATE low',
  'SET ROLE truncating; TRUNCATE "Od d"; RESET ROLE',
  'TRUNCATE "Od d" RESTART IDENTITY',
  'SET session_replication_role = replica; TRUNCATE child; RESET session_replication_role',
];

async function disabledTriggerStops(ctx: TestContext): Promise<void> {
  await ctx.source.query('ALTER TABLE child DISABLE TRIGGER USER');
  await using refused = startCapture(ctx);
  expect((await refused.exit()).code).not.toBe(0);
  expect(refused.stderr).toMatch(
    /^error SOURCE_PUBLICATION_CHANGED: .* TRUNCATE of public\.child is gone or disabled/m,
  );
}
