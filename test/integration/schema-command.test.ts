import { describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { jsonOf, runCommand } from '../support/control-command.ts';
import { sluice } from '../support/processes.ts';
import { catalogOf } from './schema-fixtures/catalog.ts';

const shop = `
  CREATE SCHEMA shop;
  CREATE TYPE shop.mood AS ENUM ('good', 'bad');
  CREATE TABLE shop.customers (id serial PRIMARY KEY, mood shop.mood NOT NULL DEFAULT 'good', name varchar(20) CHECK (name <> ''));
  CREATE TABLE shop.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES shop.customers, doc jsonb);
  CREATE INDEX ON shop.orders USING gin (doc);
  CREATE TABLE shop.refused (id int PRIMARY KEY, mood shop.mood);
  CREATE INDEX refused_index ON shop.refused (mood);
  CREATE TABLE shop.lines ("order" int REFERENCES shop.orders, refused int REFERENCES shop.refused);
  CREATE TABLE parts (a int, b text) PARTITION BY RANGE (a);
  CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
  CREATE INDEX ON parts (b);
  COMMENT ON TABLE shop.orders IS 'it''s -- an order
of two lines'`;

/** The destination refuses one table as long as this trigger is there. */
const refusal = `
  CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'shop.refused') THEN
      RAISE EXCEPTION 'nothing is called refused here';
    END IF;
  END $$;
  CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION refuse()`;
const mend = 'DROP EVENT TRIGGER refuse; DROP FUNCTION refuse()';

interface Report {
  readonly counts: Record<string, number>;
  readonly there: number;
  readonly missing: number;
  readonly objects: readonly Record<string, string>[];
}

const schemaJson = async (ctx: TestContext, options: { code?: number; args?: string[] } = {}) =>
  (await jsonOf(ctx, 'schema', options)) as unknown as Report;

describe('sluice schema', () => {
  test('what the destination refuses stops only what needs it, is reported, and heals when the cause is gone', async () => {
    await using ctx = await testContext();
    await ctx.source.query(shop);
    await ctx.destination.query(refusal);
    const first = await schemaJson(ctx, { code: 65 });
    const missing = first.objects.filter(({ outcome }) => outcome !== 'created' && outcome !== 'existed');
    expect(missing.map(({ kind, name, outcome }) => [kind, name, outcome])).toEqual([
      ['table', 'refused', 'failed'],
      ['primary key', 'refused_pkey', 'skipped'],
      ['index', 'refused_index', 'skipped'],
      ['foreign key', 'lines_refused_fkey', 'skipped'],
    ]);
    expect(missing[0]).toMatchObject({
      reason: 'nothing is called refused here',
      sqlstate: 'P0001',
      sql: expect.stringMatching(/^CREATE TABLE "shop"\."refused"/),
    });
    for (const { reason } of missing.slice(1)) expect(reason).toBe('needs table shop.refused, which failed');
    expect(first).toMatchObject({ missing: 4, counts: { failed: 1, skipped: 3 } });

    const [status] = (await runCommand(ctx, 'status', { args: ['--objects'] })).stdout.split('\n\n');
    expect(status).toMatch(/objects {6}pre-data: \d+ of \d+, 1 failed or skipped/);

    await ctx.destination.query(mend);
    expect(await schemaJson(ctx)).toMatchObject({ missing: 0, there: first.there + 4 });
    // The bookkeeping goes with the task.
    await runCommand(ctx, 'release', { args: ['--bookkeeping', '--topics'] });
    expect(await catalogOf(ctx.destination)).toEqual(await catalogOf(ctx.source));
  });

  test('the dry run writes a script that makes the same schema, and needs neither Kafka nor destination', async () => {
    await using ctx = await testContext();
    await ctx.source.query(shop);
    await using dry = sluice(['schema', '--dry-run', '--source', ctx.source.url]);
    expect(await dry.exit(), dry.output).toEqual({ code: 0, signal: null });
    expect(dry.stdout).toMatch(/^-- \d+ pre-data: table shop\.orders$/m);
    // What is made without the script's settings is made otherwise, or not at all.
    await ctx.destination.query(`SET check_function_bodies = on; SET search_path = shop, public; ${dry.stdout}`);
    await ctx.destination.disconnect();
    expect(await catalogOf(ctx.destination)).toEqual(await catalogOf(ctx.source));
  });

  test('the task is not run with types of rows', async () => {
    await using ctx = await testContext();
    await runCommand(ctx, 'schema', { args: ['--types', 'full'], code: 78 });
  });
});
