import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readPosition } from '../../services/sink-postgres/bookkeeping/position.ts';
import { type Change, type TableShape, type Tuple, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { definitionsFor, majorOf } from '../support/server-version.ts';
import { TestApplier } from '../support/sink-applier.ts';
import { EventLog, insert, remove, tableShape, truncate, update } from '../support/sink-events.ts';

let applier: TestApplier;
let ctx: TestContext;
let events: EventLog;
const apply: TestApplier['apply'] = (...transactions) => applier.apply(...transactions);

beforeAll(async () => {
  ctx = await testContext();
  applier = await TestApplier.open(ctx);
});

afterAll(async () => {
  await applier.close();
  await ctx[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await applier.reset();
  events = applier.events;
});

const rows = async (sql: string) => (await ctx.destination.query(sql)).map((row) => Object.values(row));

describe('apply', () => {
  test('every value arrives as it was, whatever its type', async () => {
    const types = `CREATE TYPE mood AS ENUM ('so so', 'happy'); CREATE TYPE pair AS (x int, y text);
      CREATE DOMAIN short AS varchar(5) NOT NULL CHECK (VALUE <> 'bad'); CREATE DOMAIN ints AS int[];`;
    const columns = `id bigint PRIMARY KEY, b bool, n numeric(10,3), f float8, t text, v varchar(4), c char(4), bits bit(3),
      vb varbit(5), ts timestamptz, tt timestamp, d date, i interval, u uuid, j json, jb jsonb, m mood, p pair, s short,
      bin bytea, r int4range, net inet, pt point, q "char", mon money, x xid`;
    const arrays = `${columns}, ia int[], ta text[], ma mood[], pa pair[], va varchar(3)[], dom ints, tta timestamptz[][]`;
    const values = `(1, true, 1.500, '-0', E'it''s "q" \\\\ {x}, NULL', 'ab  ', 'ab', B'101', B'10', '2024-02-29 23:59:59.999999+00',
      'infinity', '0044-03-15 BC', '1 mon -3 days 04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1,  2]}',
      '{"a": null}', 'so so', '(1,"a ""b"" \\\\")', 'abc', '\\xdeadbeef00', '[1,5)', '10.0.0.0/8', '(1.5,2)', 'z', '12.34', '7'`;
    const nulls = `(2${', NULL'.repeat(17)}, 'x'${', NULL'.repeat(7)}`;
    const more = `, '[0:1]={1,NULL}', '{"a,b",NULL,"NULL","",{}x}', '{happy,"so so"}', '{"(1,\\"x\\")",NULL}', '{abc}', '{1,2}', '{{infinity},{epoch}}'`;
    const fixed = more.replace(`,{}x}`, `,"{}"}`);
    const cases: [string, string, string][] = [
      ['plain', columns, `${values}), ${nulls})`],
      ['arrays', arrays, `${values}${fixed}), ${nulls}${', NULL'.repeat(7)})`],
    ];
    await ctx.source.query(types);
    await ctx.destination.query(types);
    for (const [name, definition, rowsText] of cases) {
      await ctx.source.query(`CREATE TABLE ${name} (${definition}); INSERT INTO ${name} VALUES ${rowsText}`);
      await ctx.destination.query(`CREATE TABLE ${name} (${definition})`);
      const source = await ctx.source.query(`SELECT * FROM ${name} ORDER BY id`);
      const shape = tableShape(
        name,
        Object.keys(source[0]!).map((column) => (column === 'id' ? 'id* int8' : `${column} x`)),
      );
      const tuples = source.map((row): Tuple => Object.values(row));
      await apply(tuples.map((tuple) => [shape, insert(tuple)] as const));
      expect(await ctx.destination.query(`SELECT * FROM ${name} ORDER BY id`)).toEqual(source);
      const swapped = tuples.map((tuple, index): Tuple => [tuple[0]!, ...tuples[1 - index]!.slice(1)]);
      await apply(swapped.map((tuple) => [shape, update(tuple)] as const));
      const others = await ctx.destination.query(`SELECT * FROM ${name} ORDER BY id DESC`);
      expect(others.map((row) => Object.values(row).slice(1))).toEqual(tuples.map((tuple) => tuple.slice(1)));
    }
  });

  test('a value too long for its column is refused, never cut', async () => {
    await ctx.destination.query('CREATE TABLE narrow (id int PRIMARY KEY, v varchar(3), b bit(3))');
    const shape = tableShape('narrow', ['id* int4', 'v varchar', 'b bit']);
    for (const row of [
      ['1', 'abcd', '101'],
      ['1', 'abc', '1011'],
    ]) {
      const refused = { code: 'DESTINATION_ROW_REFUSED', message: expect.stringContaining('key id=1, position') };
      await expect(apply([[shape, insert(row)]])).rejects.toMatchObject(refused);
      applier.events = new EventLog();
    }
    expect(await rows('SELECT * FROM narrow')).toEqual([]);
  });

  test('any valid history ends in the same rows, however it is cut into destination transactions', async () => {
    await ctx.destination.query('CREATE TABLE model (id int PRIMARY KEY, u text UNIQUE, doc text)');
    const shape = tableShape('model', ['id* int4', 'u text', 'doc text']);
    const step = fc.record({
      op: fc.nat(9),
      id: fc.nat(7),
      to: fc.nat(7),
      text: fc.string({ maxLength: 3 }),
      cut: fc.nat(5),
    });
    let seed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        await ctx.destination.query('TRUNCATE model');
        const model = new Map<string, [string, string, string]>();
        let waiting: [TableShape, Change][][] = [];
        for (const { op, id: number, to: other, text, cut } of steps) {
          const [id, to] = [String(number), String(other)];
          const doc = text.replaceAll('\0', '');
          const old = model.get(id);
          const changes: Change[] = [];
          if (op === 9) {
            model.clear();
            changes.push(truncate([shape]));
          } else if (!old) {
            const row: [string, string, string] = [id, `u${seed++}`, doc];
            model.set(id, row);
            changes.push(insert(row));
          } else if (op < 3) {
            model.delete(id);
            changes.push(remove([id, UNKNOWN, UNKNOWN]));
          } else if (op < 5 && !model.has(to)) {
            model.delete(id);
            model.set(to, [to, old[1], doc]);
            changes.push(update([to, old[1], doc], [id, UNKNOWN, UNKNOWN]));
          } else if (op < 7 && model.has(to) && to !== id) {
            // A swap of unique values by way of a third one: set by set it cannot work.
            const partner = model.get(to)!;
            const spare = `u${seed++}`;
            changes.push(update([id, spare, old[2]]), update([to, old[1], UNKNOWN]), update([id, partner[1], UNKNOWN]));
            model.set(id, [id, partner[1], old[2]]);
            model.set(to, [to, old[1], partner[2]]);
          } else {
            const row: [string, string, string] = [id, `u${seed++}`, old[2]];
            model.set(id, row);
            changes.push(update([id, row[1], UNKNOWN]));
          }
          waiting.push(changes.map((change) => [shape, change]));
          if (cut === 0) {
            await apply(...waiting);
            waiting = [];
          }
        }
        if (waiting.length > 0) await apply(...waiting);
        const expected = [...model.values()].sort((a, b) => Number(a[0]) - Number(b[0]));
        expect(await rows('SELECT * FROM model ORDER BY id')).toEqual(expected);
      }),
      { numRuns: 60 },
    );
    expect((await ctx.destination.query('SELECT conflicts FROM sluice.position'))[0]).toEqual({ conflicts: '0' });
  });

  test('a swap of unique values is applied change by change', async () => {
    await ctx.destination.query(`CREATE TABLE swap (id int PRIMARY KEY, u int UNIQUE DEFERRABLE);
      CREATE TABLE swap2 (id int PRIMARY KEY, u int UNIQUE); INSERT INTO swap2 VALUES (1, 1), (2, 2)`);
    const shape = tableShape('swap2', ['id* int4', 'u int4']);
    const done = await apply([
      [shape, update(['1', '3'])],
      [shape, update(['2', '1'])],
      [shape, update(['1', '2'])],
    ]);
    expect(done.changeByChange).toBe(true);
    expect(await rows('SELECT * FROM swap2 ORDER BY id')).toEqual([
      ['1', '2'],
      ['2', '1'],
    ]);
  });

  test('a change that breaks a constraint stops with table, key and position; nothing of it stays', async () => {
    await ctx.destination.query('CREATE TABLE checked (id int PRIMARY KEY, n int CHECK (n > 0))');
    const shape = tableShape('checked', ['id* int4', 'n int4']);
    const failing = apply([[shape, insert(['1', '5'])]], [[shape, insert(['2', '-1'])]]);
    const message = expect.stringMatching(/"public"\."checked" key id=2, position 2, commit LSN 0\/4B0: .*check/);
    await expect(failing).rejects.toMatchObject({ code: 'DESTINATION_ROW_REFUSED', message });
    expect(await rows('SELECT * FROM checked')).toEqual([]);
    expect((await readPosition(applier.control, applier.destination.identity))?.position).toBe(0n);
  });

  test('what another sink moved is not touched', async () => {
    await ctx.destination.query('CREATE TABLE guarded (id int PRIMARY KEY)');
    await ctx.destination.query('UPDATE sluice.position SET "position" = 7');
    const shape = tableShape('guarded', ['id* int4']);
    await expect(apply([[shape, insert(['1'])]])).rejects.toMatchObject({ code: 'DESTINATION_POSITION_MOVED' });
    expect(await rows('SELECT * FROM guarded')).toEqual([]);
  });

  test('updates and deletes that meet no row are counted; an insert overwrites', async () => {
    await ctx.destination.query("CREATE TABLE lax (id int PRIMARY KEY, t text); INSERT INTO lax VALUES (1, 'mine')");
    const shape = tableShape('lax', ['id* int4', 't text']);
    const done = await apply([
      [shape, insert(['1', 'theirs'])],
      [shape, update(['2', 'x'])],
      [shape, remove(['3', UNKNOWN])],
    ]);
    expect(done).toMatchObject({ conflicts: 2, events: 3 });
    expect(await rows('SELECT * FROM lax')).toEqual([['1', 'theirs']]);
  });

  test('a table without a key: one physical row for each change, found by its whole image', async () => {
    await ctx.destination.query('CREATE TABLE bag (a int, j json, p point, t text)');
    const shape = tableShape('bag', ['a int4', 'j json', 'p point', 't text'], 'full');
    const row = ['1', '{"a":  1}', '(1,2)', null];
    await apply([
      [shape, insert(row)],
      [shape, insert(row)],
      [shape, insert(row)],
    ]);
    await apply([
      [shape, update(['2', '{}', '(0,0)', 'x'], row)],
      [shape, remove(row)],
    ]);
    expect(await rows('SELECT * FROM bag ORDER BY a')).toEqual([row, ['2', '{}', '(0,0)', 'x']]);
    expect(await apply([[shape, remove(['9', '{}', '(0,0)', 'x'])]])).toMatchObject({ conflicts: 1 });
  });

  test('tables without a key: NULL, empty and look-alike rows stay apart, and a bag of changes is one scan', async () => {
    await ctx.destination.query('CREATE TABLE alike (n numeric, t text, a int[])');
    const shape = tableShape('alike', ['n numeric', 't text', 'a _int4'], 'full');
    const alike = [
      ['1.0', null, '{1}'],
      ['1.00', null, '{1}'],
      ['1.0', '', '{1}'],
      ['1.0', ' ', '[0:0]={1}'],
      ['NaN', '(,)', null],
    ];
    await apply([...alike, ...alike].map((row) => [shape, insert(row)] as const));
    await apply(alike.map((row) => [shape, remove(row)] as const));
    expect(await rows('SELECT * FROM alike ORDER BY n::text, t NULLS FIRST')).toEqual([
      alike[0],
      alike[2],
      alike[3],
      alike[1],
      alike[4],
    ]);
    const many = Array.from({ length: 5_000 }, (_, index) => [String(index), 'x', null]);
    await apply(many.map((row) => [shape, insert(row)] as const));
    const done = await apply(many.map((row) => [shape, update([row[0]!, 'y', null], row)] as const));
    expect(done).toMatchObject({ conflicts: 0, changeByChange: false });
    expect(await rows(`SELECT count(*) FROM alike WHERE t = 'y'`)).toEqual([['5000']]);
  });

  test('TRUNCATE is acted on once, for the tables together', async () => {
    await ctx.destination.query(`CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id serial PRIMARY KEY, p int REFERENCES parent);
      INSERT INTO parent VALUES (1); INSERT INTO child (p) VALUES (1)`);
    const parent = tableShape('parent', ['id* int4']);
    const child = tableShape('child', ['id* int4', 'p int4']);
    const change = truncate([parent, child], true);
    const both = events.transaction([
      [parent, change],
      [parent, insert(['2'])],
      [child, change],
    ]);
    await applier.applyEvents(
      [both[0]!, { ...both[2]!, ordinal: both[0]!.ordinal }, both[1]!].map((event, i) => ({
        ...event,
        position: BigInt(i + 1),
      })),
      1,
    );
    expect(await rows('SELECT id FROM parent')).toEqual([['2']]);
    expect(await rows('INSERT INTO child (p) VALUES (2) RETURNING id')).toEqual([['1']]);
  });

  test('generated columns are computed, identity columns written', async () => {
    const major = await majorOf(ctx.destination);
    const sql = `CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
      twice int GENERATED ALWAYS AS (a * 2) STORED)`;
    await ctx.destination.query(definitionsFor(major, sql));
    const shape = tableShape('made', ['id* int4', 'a int4', 'twice int4']);
    await apply([[shape, insert(['5', '1', '0'])]], [[shape, update(['5', '4', '0'])]]);
    expect(await rows('SELECT * FROM made')).toEqual([['5', '4', major >= 12 ? '8' : '0']]);
  });

  test('a lacking column is named', async () => {
    await ctx.destination.query('CREATE TABLE lacking (id int PRIMARY KEY)');
    const shape = tableShape('lacking', ['id* int4', 'extra text']);
    const message = expect.stringContaining('extra');
    await expect(apply([[shape, insert(['1', 'x'])]])).rejects.toMatchObject({
      code: 'DESTINATION_TABLE_MISSING',
      message,
    });
  });

  test('a key that is written otherwise and equal moves no other row, and loses no value that did not come', async () => {
    await ctx.destination.query('CREATE TABLE scaled (id numeric PRIMARY KEY, body text)');
    await ctx.destination.query("INSERT INTO scaled VALUES (1.50, 'kept')");
    const shape = tableShape('scaled', ['id* numeric', 'body text']);
    const done = await apply([[shape, update(['1.500', UNKNOWN], ['1.50', UNKNOWN])]]);
    expect(done.conflicts).toBe(0);
    expect(await rows('SELECT * FROM scaled')).toEqual([['1.500', 'kept']]);
  });

  test('the position is not read before a COMMIT under way is done', async () => {
    const identity = applier.destination.identity;
    const other = await ctx.destination.connect();
    await other.query('BEGIN');
    await other.query('UPDATE sluice.position SET "position" = "position" + 1');
    const reading = readPosition(applier.control, identity);
    const waits = `SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1`;
    const { processID } = applier.control as unknown as { processID: number };
    await eventually(async () => (await ctx.destination.value(waits, [processID])) === '1');
    await other.query('COMMIT');
    await other.end();
    expect((await reading)?.position).toBe(1n);
  });
});
