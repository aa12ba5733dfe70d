import { describe, expect, test } from 'vitest';
import { destinationFiles } from '../../services/control/prechecks/schema-objects.ts';
import type { SchemaObject } from '../../shared/envelope/schema-object.ts';
import { connect } from '../../shared/postgres/connection.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { expectError, jsonOf, startCommand } from '../support/control-command.ts';
import { startCapture, startSink } from '../support/sink-scenario.ts';
import { catalogOf } from './schema-fixtures/catalog.ts';
import { readingTask } from './snapshot-reading-task.ts';

const source = `
  CREATE SCHEMA shop;
  CREATE TYPE shop.mood AS ENUM ('good', 'bad');
  CREATE TABLE shop.a (id int PRIMARY KEY, mood shop.mood, name varchar(20), note text);
  CREATE TABLE shop.b (id int PRIMARY KEY, a int REFERENCES shop.a);
  CREATE INDEX b_a ON shop.b (a);
  COMMENT ON TABLE shop.a IS 'of the source';
  INSERT INTO shop.a SELECT g, 'good', 'n' || g, 'x' FROM generate_series(1, 20) g;
  INSERT INTO shop.b SELECT g, g FROM generate_series(1, 20) g`;

/** One table with a column missing, one extra and one of another type; and an index under the name of another's. */
const destination = `
  CREATE SCHEMA shop;
  CREATE TYPE shop.mood AS ENUM ('good', 'bad');
  CREATE TABLE shop.a (id int PRIMARY KEY, mood shop.mood, name text, extra int)`;

const full = ['--types', 'schema,full'];
const objectsOf = async (ctx: TestContext) =>
  ((await jsonOf(ctx, 'status', { args: [...full, '--objects'] }))['objects'] as { objects: Record<string, string>[] })
    .objects;

describe('objects that exist at the destination', () => {
  test('precheck names every one of them and refuses, at control and at the sink', async () => {
    await using ctx = await testContext();
    await ctx.source.query(source);
    await ctx.destination.query(`${destination}; CREATE VIEW shop.b AS SELECT 1 AS id`);
    const before = await catalogOf(ctx.destination);
    await using refused = startCommand(ctx, 'migrate', full);
    const names = /enum shop\.mood.*table shop\.a.*table shop\.b.*a_pkey on shop\.a/;
    await expectError(refused, { code: 'DESTINATION_OBJECT_EXISTS', exit: 4, says: names });
    await using _capture = startCapture(ctx, { types: 'schema,full' });
    await using sink = startSink(ctx, { types: 'schema,full' });
    expect(await sink.exit(120_000)).toEqual({ code: 4, signal: null });
    expect(sink.stderr).toMatch(names);
    await ctx.destination.query('DROP SCHEMA sluice CASCADE');
    expect(await catalogOf(ctx.destination)).toEqual(before);
  });

  test('ignore keeps them, adds what is missing, and stops before rows for want of a column', async () => {
    await using ctx = await testContext();
    await ctx.source.query(source);
    await ctx.destination.query(destination);
    const ignore = [...full, '--existing', 'ignore'];
    await using refused = startCommand(ctx, 'migrate', [...ignore, '--skip-precheck']);
    await expectError(refused, { code: 'DESTINATION_TABLE_MISSING', exit: 65, says: /"shop"\."a" \(note\)/ });
    expect(await ctx.destination.value('SELECT count(*) FROM shop.b')).toBe('0');
    await ctx.destination.query('ALTER TABLE shop.a ADD note text');
    await using done = startCommand(ctx, 'migrate', ignore);
    expect(await done.exit(120_000), done.output).toEqual({ code: 0, signal: null });

    const outcome = new Map((await objectsOf(ctx)).map((object) => [object['identity'] ?? object['kind'], object]));
    expect(outcome.get('shop.a')).toMatchObject({
      outcome: 'differs',
      reason: 'column name is text, not character varying(20); column extra is extra',
    });
    expect(outcome.get('shop.mood')).toMatchObject({ outcome: 'existed' });
    expect(outcome.get('shop.b')).toMatchObject({ outcome: 'created' });
    const nameType = `SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = 'shop.a'::regclass AND attname = 'name'`;
    expect(await ctx.destination.value(nameType)).toBe('text');
    expect(await ctx.destination.value(`SELECT obj_description('shop.a'::regclass)`)).toBeNull();
    expect(await ctx.destination.value('SELECT count(*) FROM shop.a JOIN shop.b ON b.a = a.id')).toBe('20');
    const keys = `SELECT conname FROM pg_constraint WHERE contype IN ('p', 'f') AND connamespace = 'shop'::regnamespace ORDER BY 1`;
    expect(await ctx.destination.query(keys)).toEqual(await ctx.source.query(keys));
  });
});

describe('what the destination server does not have', () => {
  test('extensions and libraries are named, with what depends on them', async () => {
    await using ctx = await testContext();
    const { task } = await readingTask(ctx);
    const client = await connect(task.destination, { applicationName: 'test', end: 'destination' });
    ctx.defer(() => client.end());
    const object = (number: number, kind: string, name: string, given: Partial<SchemaObject> = {}): SchemaObject => {
      const identity = { type: kind, identity: name };
      return { number, section: 'pre-data', kind, schema: '', name, table: null, sql: '', identity, ...given };
    };
    const c = (library: string, symbol: string) =>
      `CREATE FUNCTION f()\n RETURNS int4\n LANGUAGE c\nAS '${library}', $function$${symbol}$function$\n`;
    const objects = [
      object(0, 'extension', 'plpgsql'),
      object(1, 'extension', 'no_such_extension'),
      object(2, 'function', 'f()', { sql: c('$libdir/no_such_library', 'f') }),
      object(3, 'function', 'g()', { sql: c('$libdir/plpgsql', 'no_such_symbol') }),
      object(4, 'table', 't', { needs: [1] }),
      object(5, 'view', 'v', { needs: [4] }),
      object(6, 'function', 'h()', { sql: c('$libdir/plpgsql', 'plpgsql_call_handler') }),
    ];
    const context = { task, destination: client, objects } as unknown as Parameters<typeof destinationFiles.run>[0];
    const findings = await destinationFiles.run(context);
    expect(findings.map(({ severity, message }) => [severity, message])).toEqual([
      [
        'error',
        'not created: extension no_such_extension: the destination server does not have extension no_such_extension; ' +
          'nor can what depends on it: table t, view v',
      ],
      ['warning', 'not created: function f(): the destination server cannot load the library $libdir/no_such_library'],
      ['warning', 'not created: function g(): the library $libdir/plpgsql of the destination server lacks a function'],
    ]);
  });
});
