import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { jsonOf, runCommand } from '../support/control-command.ts';
import { Failpoints } from '../support/failpoints.ts';
import { applied, fenceAt, startCapture, startSink } from '../support/sink-scenario.ts';

const types = 'full,incremental';

async function ignoring(ctx: TestContext): Promise<string[]> {
  const path = join(await mkdtemp(join(tmpdir(), 'sluice-existing-')), 'task.json');
  const ends = { source: { url: ctx.source.url }, destination: { url: ctx.destination.url } };
  await writeFile(path, JSON.stringify({ ...ends, existing: 'ignore' }));
  return ['--task-file', path];
}

const sourceTables = `
  CREATE TABLE item (id int PRIMARY KEY, name text);
  CREATE TABLE bag (n int, t text); ALTER TABLE bag REPLICA IDENTITY FULL;
  CREATE TABLE audit (id serial PRIMARY KEY, what text);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN INSERT INTO public.audit (what) VALUES (TG_OP || ' ' || OLD.id);
    ELSE INSERT INTO public.audit (what) VALUES (TG_OP || ' ' || NEW.id); END IF; RETURN NULL; END $$;
  CREATE TRIGGER noting AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE PROCEDURE note();`;

/** The same, wider, with rows of others and with what would act a second time. */
const destinationTables = `
  CREATE TABLE item (own int GENERATED ALWAYS AS IDENTITY, name text, n text NOT NULL DEFAULT 'own', id int PRIMARY KEY,
    loud text GENERATED ALWAYS AS (upper(name)) STORED);
  CREATE TABLE bag (n int, t text, seen timestamptz NOT NULL DEFAULT '2020-01-01');
  CREATE TABLE audit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
  CREATE TABLE mirror (what text);
  INSERT INTO item (id, name, n) VALUES (2, 'theirs', 'kept'), (100, 'theirs', 'kept'), (200, 'theirs', 'kept');
  INSERT INTO bag VALUES (1, 'a'), (7, 'theirs');
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.audit (what) VALUES (TG_OP || ' twice'); RETURN NULL; END $$;
  CREATE TRIGGER always AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE PROCEDURE note();
  CREATE TRIGGER replicas AFTER INSERT ON item FOR EACH ROW EXECUTE PROCEDURE note();
  CREATE TRIGGER plain AFTER INSERT ON item FOR EACH ROW EXECUTE PROCEDURE note();
  CREATE TRIGGER off AFTER INSERT ON item FOR EACH ROW EXECUTE PROCEDURE note();
  ALTER TABLE item ENABLE ALWAYS TRIGGER always; ALTER TABLE item ENABLE REPLICA TRIGGER replicas;
  ALTER TABLE item DISABLE TRIGGER off;
  CREATE RULE mirrored AS ON DELETE TO item DO ALSO INSERT INTO public.mirror VALUES ('deleted');
  ALTER TABLE item ENABLE ALWAYS RULE mirrored;`;

const states = `SELECT tgname || tgenabled::text AS state FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT rulename || ev_enabled::text FROM pg_rewrite WHERE rulename = 'mirrored'
  UNION ALL SELECT attrelid::regclass || '.' || attname || attidentity::text FROM pg_attribute WHERE attidentity <> '' AND attnum > 0
  ORDER BY 1`;
const asMade = ['alwaysA', 'audit.ida', 'item.owna', 'mirroredA', 'offD', 'plainO', 'replicasR'];
const suspended = ['alwaysD', 'audit.idd', 'item.ownd', 'mirroredD', 'offD', 'plainO', 'replicasD'];

const stateOf = async (ctx: TestContext) => (await ctx.destination.query(states)).map(({ state }) => state);
const rows = async (ctx: TestContext, sql: string) =>
  (await ctx.destination.query(sql)).map((row) => Object.values(row));

describe('tables that are at the destination already, in the mode that keeps them', () => {
  test('rows are kept, the others added once; nothing acts twice, and cutover puts back what did', async () => {
    await using ctx = await testContext();
    await ctx.source.query(`${sourceTables}
      INSERT INTO item SELECT n, 'i' || n FROM generate_series(1, 50) n; INSERT INTO bag VALUES (1, 'a'), (1, 'a'), (2, NULL)`);
    await ctx.destination.query(destinationTables);
    const args = await ignoring(ctx);
    // The read is interrupted and taken again as another generation; the sink dies between its rows and their commit.
    await using reading = new Failpoints('capture.in-snapshot=kill');
    await using merging = new Failpoints('sink.in-merge=kill');
    await using killed = startCapture(ctx, { types, args, env: reading.env });
    await using first = startSink(ctx, { types, args, env: merging.env });
    await killed.exit();
    await using capture = startCapture(ctx, { types, args });
    await first.exit(120_000);
    expect(merging.acted('sink.in-merge')).toBeDefined();
    expect(await ctx.destination.value('SELECT count(*) FROM item')).toBe('3');
    expect(await stateOf(ctx)).toEqual(suspended);

    await using sink = startSink(ctx, { types, args });
    await ctx.source.query(`INSERT INTO item VALUES (100, 'streamed'); UPDATE item SET name = 'new' WHERE id IN (1, 2);
      UPDATE item SET id = 300 WHERE id = 3; DELETE FROM item WHERE id = 4; UPDATE bag SET t = 'b' WHERE n = 2`);
    const position = await applied(ctx.destination, await fenceAt(ctx), { running: [capture, sink] });
    expect(position['conflicts']).toBe('0');
    expect(
      await rows(ctx, 'SELECT id, name, n, loud FROM item WHERE id IN (1, 2, 3, 4, 100, 200, 300) ORDER BY id'),
    ).toEqual([
      ['1', 'new', 'own', 'NEW'],
      ['2', 'new', 'kept', 'NEW'],
      ['100', 'streamed', 'kept', 'STREAMED'],
      ['200', 'theirs', 'kept', 'THEIRS'],
      ['300', 'i3', 'own', 'I3'],
    ]);
    expect(await rows(ctx, 'SELECT n, t, count(*) FROM bag GROUP BY 1, 2 ORDER BY 1, 2')).toEqual([
      ['1', 'a', '3'],
      ['2', 'b', '1'],
      ['7', 'theirs', '1'],
    ]);
    const audit = 'SELECT id, what FROM audit ORDER BY id';
    expect(await ctx.destination.query(audit)).toEqual(await ctx.source.query(audit));
    expect(await ctx.destination.value('SELECT count(*) FROM mirror')).toBe('0');

    await runCommand(ctx, 'cutover', { args: ['--types', types] });
    expect(await stateOf(ctx)).toEqual(asMade);
    const left = `SELECT count(*) FROM pg_tables WHERE schemaname = 'sluice' AND tablename LIKE 'staging%'`;
    expect(await ctx.destination.value(left)).toBe('0');
  });

  test('release puts back what was suspended, and not under a sink that runs', async () => {
    await using ctx = await testContext();
    await ctx.source.query(sourceTables);
    await ctx.destination.query(destinationTables);
    const args = await ignoring(ctx);
    await using capture = startCapture(ctx, { types, args });
    await using sink = startSink(ctx, { types, args });
    await ctx.source.query(`INSERT INTO item VALUES (1, 'x')`);
    await applied(ctx.destination, await fenceAt(ctx), { running: [capture, sink] });
    capture.signal('SIGTERM');
    await capture.exit();
    const refused = await runCommand(ctx, 'release', { args: ['--types', types], code: 1 });
    expect(refused.stderr).toMatch(/error DESTINATION_SINK_RUNNING/);
    expect(await stateOf(ctx)).toEqual(suspended);
    sink.signal('SIGTERM');
    await sink.exit();
    const report = await jsonOf(ctx, 'release', { args: ['--types', types, '--bookkeeping', '--topics'] });
    expect(report['restored']).toHaveLength(5);
    expect(await stateOf(ctx)).toEqual(asMade);
    expect(await ctx.destination.value(`SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice'`)).toBe('0');
  });

  test('stop names key, position, topic and offset; after the row is mended it goes on', async () => {
    await using ctx = await testContext();
    await ctx.source.query(`CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item VALUES (1, 'a')`);
    await using capture = startCapture(ctx);
    await using stopped = startSink(ctx, { args: ['--conflicts', 'stop'] });
    await applied(ctx.destination, await fenceAt(ctx), { running: [capture, stopped] });
    await ctx.destination.query(`INSERT INTO item VALUES (5, 'theirs')`);
    await ctx.source.query(`INSERT INTO item VALUES (4, 'b'); INSERT INTO item VALUES (5, 'c')`);
    expect(await stopped.exit()).toMatchObject({ code: 65 });
    const says =
      /error DESTINATION_CONFLICT: "public"."item" key id=5, position 2, commit LSN .*: an insert meets .* \(topic \S+item, partition 0, offset 1\)/;
    expect(stopped.stderr).toMatch(says);
    const status = await jsonOf(ctx, 'status');
    expect(status['errors']).toMatchObject([
      { code: 'DESTINATION_CONFLICT', message: expect.stringContaining('offset 1') },
    ]);
    await ctx.destination.query('DELETE FROM item WHERE id = 5');
    await using sink = startSink(ctx, { args: ['--conflicts', 'stop'] });
    await applied(ctx.destination, await fenceAt(ctx), { running: [capture, sink] });
    expect(await rows(ctx, 'SELECT * FROM item ORDER BY id')).toEqual(await sourceRows(ctx));
    await ctx.destination.query('DELETE FROM item WHERE id = 4');
    await ctx.source.query('DELETE FROM item WHERE id = 4');
    expect(await sink.exit()).toMatchObject({ code: 65 });
    await using tolerant = startSink(ctx);
    await applied(ctx.destination, await fenceAt(ctx), { running: [capture, tolerant] });
    const last = { kind: 'delete', schema: 'public', table: 'item', position: '3' };
    expect(await jsonOf(ctx, 'status')).toMatchObject({ conflicts: 1, lastConflict: last });
  });
});

const sourceRows = async (ctx: TestContext) =>
  (await ctx.source.query('SELECT * FROM item ORDER BY id')).map((row) => Object.values(row));
