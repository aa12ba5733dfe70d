import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Change, type TableShape, type Tuple, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { conflictPolicies } from '../../shared/task/definition.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { TestApplier } from '../support/sink-applier.ts';
import { EventLog, insert, remove, tableShape, truncate, update } from '../support/sink-events.ts';

let ctx: TestContext;
let applier: TestApplier;

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
  applier.conflicts = 'overwrite';
  applier.fold = true;
  applier.log = pino({ level: 'silent' });
});

const rows = async (sql: string) => (await ctx.destination.query(sql)).map((row) => Object.values(row));
const met = async () =>
  (await ctx.destination.query('SELECT conflicts, last_conflict FROM sluice.position'))[0] as Record<string, string>;

const keyed = tableShape('keyed', ['id* int4', 'a text', 'doc text']);
const loose = tableShape('loose', ['a text', 'doc text'], 'full');
const pairs = tableShape('pairs', ['x* int4', 'y* int4']);

/** A valid history of the source, as drawn. */
type History = readonly { readonly changes: readonly (readonly [TableShape, Change])[]; readonly cut: boolean }[];

interface Draw {
  readonly op: number;
  readonly id: number;
  readonly to: number;
  readonly unknown: boolean;
  readonly table: number;
  readonly cut: boolean;
}

const draw: fc.Arbitrary<Draw> = fc.record({
  op: fc.nat(9),
  id: fc.nat(4),
  to: fc.nat(4),
  unknown: fc.boolean(),
  table: fc.nat(3),
  cut: fc.boolean(),
});

/** Rows that the source has from the start. */
const FIRST = [0, 1];

/** What the source did: it knows nothing of what others did at the destination. */
class SourceModel {
  readonly #keyed = new Map<number, readonly [string, string, string]>(
    FIRST.map((id) => [id, [String(id), 'theirs', 'd']]),
  );
  readonly #loose: Tuple[] = FIRST.map((id) => [`l${id}`, 'doc']);
  readonly #pairs = new Set<string>();
  #seed = 0;

  step({ op, id, to, unknown, table }: Draw): readonly [TableShape, Change][] {
    if (table === 0) return this.#stepLoose(op, id, to).map((change) => [loose, change]);
    if (table === 1) return this.#stepPairs(op, id, to).map((change) => [pairs, change]);
    return this.#stepKeyed({ op, id, to, unknown }).map((change) => [keyed, change]);
  }

  #stepKeyed({ op, id, to, unknown }: Pick<Draw, 'op' | 'id' | 'to' | 'unknown'>): Change[] {
    const old = this.#keyed.get(id);
    const text = `s${this.#seed++}`;
    if (op === 9 && to === 0) {
      this.#keyed.clear();
      return [truncate([keyed])];
    }
    if (!old) {
      this.#keyed.set(id, [String(id), text, 'doc']);
      return [insert([String(id), text, 'doc'])];
    }
    if (op < 3) {
      this.#keyed.delete(id);
      return [remove([String(id), UNKNOWN, UNKNOWN])];
    }
    const doc = unknown ? UNKNOWN : text;
    const moves = op < 6 && !this.#keyed.has(to);
    const key = String(moves ? to : id);
    if (moves) this.#keyed.delete(id);
    this.#keyed.set(Number(key), [key, text, unknown ? old[2] : text]);
    return [update([key, text, doc], moves ? [String(id), UNKNOWN, UNKNOWN] : null)];
  }

  #stepLoose(op: number, id: number, to: number): Change[] {
    const index = this.#loose.findIndex(([a]) => a === `l${id}`);
    if (index === -1 || op < 3) {
      this.#loose.push([`l${id}`, 'doc']);
      return [insert([`l${id}`, 'doc'])];
    }
    const [old] = this.#loose.splice(index, 1);
    if (op < 6) return [remove(old!)];
    this.#loose.push([`l${to}`, 'doc']);
    return [update([`l${to}`, 'doc'], old!)];
  }

  #stepPairs(op: number, id: number, to: number): Change[] {
    const key = `${id},${to}`;
    const tuple = key.split(',');
    if (!this.#pairs.has(key)) {
      this.#pairs.add(key);
      return [insert(tuple)];
    }
    if (op < 6) return [update(tuple)];
    this.#pairs.delete(key);
    return [remove(tuple)];
  }
}

function historyOf(draws: readonly Draw[]): History {
  const model = new SourceModel();
  return draws.map((one) => ({ changes: model.step(one), cut: one.cut }));
}

/** The rows at the destination, some of the source's missing and some of others there. */
async function prepare(foreign: readonly number[]): Promise<void> {
  const ids = foreign.map((id) => `(${id}, 'theirs', 'd', 'kept')`).join(', ');
  const bag = foreign.map((id) => `('l${id}', 'doc')`).join(', ');
  await ctx.destination.query(`TRUNCATE keyed, loose, pairs`);
  if (foreign.length === 0) return;
  await ctx.destination.query(`INSERT INTO keyed VALUES ${ids}; INSERT INTO loose VALUES ${bag};
    INSERT INTO pairs SELECT x, 1 FROM keyed AS k(x) WHERE x > 1`);
}

/** What stands at the destination after the history, or after what was applied before it was stopped. */
async function outcome(history: History, foreign: readonly number[]) {
  await applier.reset();
  await prepare(foreign);
  let waiting: (readonly (readonly [TableShape, Change])[])[] = [];
  let stopped: unknown = null;
  const flush = async () => {
    if (waiting.length > 0) await applier.apply(...waiting);
    waiting = [];
  };
  try {
    for (const { changes, cut } of history) {
      waiting.push(changes);
      if (cut) await flush();
    }
    await flush();
  } catch (error) {
    stopped = String(error);
  }
  const tables: unknown[] = [];
  for (const table of ['keyed', 'loose', 'pairs']) {
    tables.push(await rows(`SELECT * FROM ${table} AS t ORDER BY t::text`));
  }
  return { tables, met: await met(), stopped };
}

describe('rows that others wrote', () => {
  beforeAll(async () => {
    await ctx.destination.query(`CREATE TABLE keyed (id int PRIMARY KEY, a text, doc text, extra text DEFAULT 'own');
      CREATE TABLE loose (a text, doc text); CREATE TABLE pairs (x int, y int, PRIMARY KEY (x, y))`);
  });

  test.each(conflictPolicies)('%s: folded sets end as the changes one by one, conflicts included', async (policy) => {
    applier.conflicts = policy;
    const foreign = fc.oneof(fc.constant(FIRST), fc.uniqueArray(fc.nat(4), { maxLength: 3 }));
    let conflicts = 0n;
    await fc.assert(
      fc.asyncProperty(fc.array(draw, { minLength: 1, maxLength: 25 }), foreign, async (draws, ids) => {
        const history = historyOf(draws);
        applier.fold = true;
        const folded = await outcome(history, ids);
        applier.fold = false;
        expect(folded).toEqual(await outcome(history, ids));
        conflicts += BigInt(folded.met['conflicts'] ?? 0) + (folded.stopped ? 1n : 0n);
        if (ids === FIRST) expect(folded).toMatchObject({ met: { conflicts: '0' }, stopped: null });
      }),
      { numRuns: 40 },
    );
    expect(conflicts).toBeGreaterThan(2n);
  });

  test.each([
    ['overwrite', '2', [['1', 'new', 'd', 'kept']]],
    ['ignore', '3', [['1', 'theirs', 'd', 'kept']]],
  ] as const)('%s: an insert meets a row, an update and a delete meet none', async (policy, count, left) => {
    applier.conflicts = policy;
    await prepare([1]);
    const lines: string[] = [];
    applier.log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    await applier.apply(
      [[keyed, update(['7', 'secret', 'd'])]],
      [[keyed, insert(['1', 'new', 'd'])]],
      [[keyed, remove(['3', UNKNOWN, UNKNOWN])]],
    );
    expect(await rows('SELECT * FROM keyed')).toEqual(left);
    const last = { kind: 'delete', schema: 'public', table: 'keyed', position: '3', commitLsn: '0/514' };
    const { conflicts, last_conflict } = await met();
    expect({ conflicts, last: JSON.parse(last_conflict ?? '') }).toEqual({ conflicts: count, last });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { table: '"public"."keyed"', position: '3', commitLsn: '0/514', kind: 'delete', count: Number(count), policy },
    ]);
    expect(lines.join()).not.toContain('secret');
  });

  test.each([
    [
      'an insert',
      insert(['1', 'new', 'd']),
      /key id=1, position 2, commit LSN 0\/4B0: an insert meets/,
      'DELETE FROM keyed',
    ],
    [
      'an update',
      update(['7', 'x', 'd']),
      /key id=7, position 2, commit LSN 0\/4B0: an update meets no row/,
      'INSERT INTO keyed VALUES (7)',
    ],
    [
      'a delete',
      remove(['7', UNKNOWN, UNKNOWN]),
      /key id=7, position 2, commit LSN 0\/4B0: a delete meets no row/,
      'INSERT INTO keyed VALUES (7)',
    ],
    [
      'a change to a key that is there',
      update(['1', 'x', 'd'], ['2', UNKNOWN, UNKNOWN]),
      /key id=2, position 2, commit LSN 0\/4B0: an update of the key meets/,
      'UPDATE keyed SET id = 2',
    ],
    [
      'came and went',
      [insert(['1', 'x', 'd']), remove(['1', UNKNOWN, UNKNOWN])],
      /key id=1, position 2, .*an insert/,
      'DELETE FROM keyed',
    ],
    [
      'without a key',
      [remove(['gone', 'doc'])],
      /"loose", position 2, .*: a delete meets/,
      `INSERT INTO loose VALUES ('gone', 'doc')`,
    ],
  ])(
    'stop: %s stops before anything of its transaction, and goes on when the row is mended',
    async (_, given, says, mend) => {
      applier.conflicts = 'stop';
      await prepare([1]);
      const changes = Array.isArray(given) ? given : [given];
      const shape = (change: Change) => (change.op === 'd' && change.before.length === 2 ? loose : keyed);
      const attempt = () => {
        applier.events = new EventLog();
        const transaction = changes.map((change) => [shape(change), change] as const);
        return applier.apply([[keyed, insert(['50', 'before', 'd'])]], transaction);
      };
      await expect(attempt()).rejects.toMatchObject({
        code: 'DESTINATION_CONFLICT',
        message: expect.stringMatching(says),
      });
      expect(await rows('SELECT id FROM keyed')).toEqual([['1']]);
      await ctx.destination.query(mend);
      expect(await attempt()).toMatchObject({ conflicts: 0 });
      expect(await met()).toMatchObject({ conflicts: '0', last_conflict: null });
    },
  );

  test('overwrite: a row that moves from a key that is not there is written whole, if it is known whole', async () => {
    await prepare([4]);
    await applier.apply([
      [keyed, update(['2', 'a', 'd'], ['1', UNKNOWN, UNKNOWN])],
      [keyed, update(['3', 'a', UNKNOWN], ['9', UNKNOWN, UNKNOWN])],
      [keyed, update(['4', 'over', 'd'], ['8', UNKNOWN, UNKNOWN])],
    ]);
    expect(await rows('SELECT id, a FROM keyed ORDER BY id')).toEqual([
      ['2', 'a'],
      ['4', 'over'],
    ]);
    expect(await met()).toMatchObject({ conflicts: '4' });
  });

  test('another unique constraint that others filled stops the task, naming it', async () => {
    await ctx.destination.query(`CREATE TABLE mail (id int PRIMARY KEY, address text CONSTRAINT one_address UNIQUE);
      INSERT INTO mail VALUES (9, 'x@y')`);
    const mail = tableShape('mail', ['id* int4', 'address text']);
    for (const policy of conflictPolicies) {
      applier.conflicts = policy;
      applier.events = new EventLog();
      await expect(applier.apply([[mail, insert(['1', 'x@y'])]])).rejects.toMatchObject({
        code: 'DESTINATION_ROW_REFUSED',
        message: expect.stringMatching(/"mail" key id=1, position 1, commit LSN .*one_address/),
        context: { constraint: 'one_address', position: 1n },
      });
    }
    expect(await rows('SELECT * FROM mail')).toEqual([['9', 'x@y']]);
  });

  test.each([true, false])('a key without a unique index behind it: no row is doubled (fold %s)', async (fold) => {
    applier.fold = fold;
    await ctx.destination.query(`DROP TABLE IF EXISTS bare; CREATE TABLE bare (id int, a text);
      INSERT INTO bare VALUES (1, 'theirs'), (2, 'theirs')`);
    const bare = tableShape('bare', ['id* int4', 'a text']);
    await applier.apply([[bare, insert(['1', 'x'])]], [[bare, insert(['3', 'x'])]]);
    applier.conflicts = 'ignore';
    await applier.apply([[bare, insert(['2', 'x'])]]);
    expect(await rows('SELECT * FROM bare ORDER BY id')).toEqual([
      ['1', 'x'],
      ['2', 'theirs'],
      ['3', 'x'],
    ]);
    expect(await met()).toMatchObject({ conflicts: '1' });
  });

  test.each([true, false])(
    'columns of the destination alone keep their values and defaults (fold %s)',
    async (fold) => {
      applier.fold = fold;
      await ctx.destination.query(`CREATE DOMAIN named_${fold} AS text;
      CREATE TABLE wider_${fold} (a int, own int GENERATED ALWAYS AS IDENTITY, n int NOT NULL DEFAULT 7, list int[],
        twice int GENERATED ALWAYS AS (a * 2) STORED, t timestamptz NOT NULL DEFAULT '2020-01-01');
      CREATE TABLE widest_${fold} (id int PRIMARY KEY, own int GENERATED ALWAYS AS IDENTITY, a named_${fold}, n text NOT NULL DEFAULT 'n')`);
      const wider = tableShape(`wider_${fold}`, ['a int4', 'list _int4'], 'full');
      const widest = tableShape(`widest_${fold}`, ['id* int4', 'a text']);
      await applier.apply([
        [wider, insert(['1', '{1}'])],
        [wider, insert(['1', '{1}'])],
        [wider, insert(['2', '[0:1]={1,NULL}'])],
        [widest, insert(['1', 'x'])],
      ]);
      await ctx.destination.query(`UPDATE wider_${fold} SET n = own; UPDATE widest_${fold} SET n = 'mine'`);
      const done = await applier.apply([
        [wider, update(['5', null], ['1', '{1}'])],
        [wider, update(['6', '{6}'], ['2', '[0:1]={1,NULL}'])],
        [widest, update(['1', 'y'])],
        [widest, update(['2', 'z'], ['1', UNKNOWN])],
      ]);
      expect(done).toMatchObject({ conflicts: 0, changeByChange: !fold });
      const wide = await rows(`SELECT a, own, n, list, twice FROM wider_${fold} ORDER BY own`);
      expect(wide.filter(([a]) => a === '5')).toHaveLength(1);
      expect(wide.every(([a, own, n, , twice]) => own === n && Number(twice) === 2 * Number(a))).toBe(true);
      expect(wide.at(-1)).toEqual(['6', '3', '3', '{6}', '12']);
      expect(await rows(`SELECT * FROM widest_${fold}`)).toEqual([['2', '1', 'z', 'mine']]);
    },
  );
});
