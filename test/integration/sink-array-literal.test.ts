import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { columnArrays, type ElementForm, rowArray } from '../../services/sink-postgres/apply/array-literal.ts';
import { copyText } from '../../services/sink-postgres/apply/copy-text.ts';
import type { Row } from '../../services/sink-postgres/apply/row.ts';
import { runTogether } from '../../services/sink-postgres/apply/run-together.ts';
import { type Tuple, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { EventLog, insert, packed, tableShape } from '../support/sink-events.ts';

let ctx: TestContext;

beforeAll(async () => {
  ctx = await testContext();
  await ctx.destination.query(
    'CREATE TABLE texts (a text, gone int, b text, c text); ALTER TABLE texts DROP COLUMN gone',
  );
});

afterAll(() => ctx[Symbol.asyncDispose]());

const awkward = [
  '',
  'NULL',
  'null',
  ' ',
  ' x ',
  '"',
  '\\',
  '\\\\"',
  '{',
  '}',
  '{}',
  ',',
  '(',
  ')',
  '()',
  "'",
  '\n\t',
  '\\.',
  'ü€𝄞',
];
const text = fc.oneof(
  fc.constantFrom(...awkward),
  fc.array(fc.constantFrom(...awkward, 'a'), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 10 }).map((value) => value.replaceAll('\0', '')),
);
const long = fc.array(fc.constantFrom(...awkward, 'a'.repeat(300)), { minLength: 1, maxLength: 4 });
const value = fc.option(
  fc.oneof({ weight: 9, arbitrary: text }, { weight: 1, arbitrary: long.map((parts) => parts.join('')) }),
);
const rows = fc.array(fc.tuple(value, value, value), { maxLength: 8 });

const shape = tableShape('texts', ['a text', 'b text', 'c text']);

/** As they come from records. */
function packedRows(tuples: readonly Tuple[]): Row[] {
  return packed(new EventLog().transaction(tuples.map((row) => [shape, insert(row)]))).map(({ after }) => after!);
}

/** Now one, now the other: both write the same. */
const mixed = (tuples: readonly Tuple[]): Row[] =>
  packedRows(tuples).map((row, index) => (index % 3 === 1 ? tuples[index]! : row));

function arraysOf(rows: readonly Row[], indexes: readonly number[], form: ElementForm): string[] {
  return columnArrays(rows, indexes, () => form).map(String);
}

describe('COPY text', () => {
  test('any texts and NULLs come back as they were', async () => {
    const client = await ctx.destination.connect();
    try {
      await fc.assert(
        fc.asyncProperty(rows, async (tuples) => {
          const copy = copyText(mixed(tuples), [0, 1, 2]);
          const statements = [
            { text: 'TRUNCATE texts', values: [] },
            { text: 'COPY texts (a, b, c) FROM STDIN', values: [], copy },
            { text: 'SELECT count(*) FROM texts', values: [] },
          ];
          const answers = await runTogether(client, statements);
          expect(answers[1]!.count).toBe(tuples.length);
          expect(answers[2]!.row).toEqual([String(tuples.length)]);
          const back = await client.query('SELECT * FROM texts');
          expect(back.rows.map(({ a, b, c }) => [a, b, c])).toEqual(tuples);
        }),
        { numRuns: 200 },
      );
    } finally {
      await client.end();
    }
  });
});

describe('statements sent together', () => {
  test('the first error is the last that is done, and the session goes on', async () => {
    const client = await ctx.destination.connect();
    try {
      const insertOne = { text: 'INSERT INTO texts (a) VALUES ($1)', values: ['x'] };
      const broken = { text: 'COPY texts (a, b, c) FROM STDIN', values: [], copy: Buffer.from('too\tfew\n') };
      for (let attempt = 0; attempt < 2; attempt++) {
        await client.query('BEGIN; TRUNCATE texts');
        await expect(runTogether(client, [insertOne, broken, insertOne])).rejects.toMatchObject({ code: '22P04' });
        await client.query('ROLLBACK');
        const begin = { text: 'BEGIN', values: [] };
        const again = await runTogether(client, [begin, insertOne, { ...insertOne, values: [null] }]);
        expect(again.map(({ count }) => count)).toEqual([0, 1, 1]);
        await client.query('ROLLBACK');
      }
    } finally {
      await client.end();
    }
  });
});

describe('array literals', () => {
  test('any texts and NULLs come back from unnest as they were', async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (tuples) => {
        const arrays = arraysOf(mixed(tuples), [0, 1, 2], { plain: false, delimiter: ',' });
        const back = await ctx.destination.query(
          'SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS r(a, b, c)',
          arrays,
        );
        expect(back.map(({ a, b, c }) => [a, b, c])).toEqual(tuples);
      }),
      { numRuns: 300 },
    );
  });

  test('any rows come back from an array of the row type, in the order of its columns', async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (tuples) => {
        const back = await ctx.destination.query('SELECT * FROM unnest($1::texts[])', [rowArray(tuples, [2, -1, 0])]);
        expect(back.map(({ a, b, c }) => [a, b, c])).toEqual(tuples.map(([first, , third]) => [third, null, first]));
      }),
      { numRuns: 300 },
    );
  });

  test('numbers go without quotes', async () => {
    const tuples: Tuple[] = [['1.50'], ['NaN'], [null], ['-1e300']];
    const [array] = arraysOf(tuples, [0], { plain: true, delimiter: ',' });
    expect(array).toBe('{1.50,NaN,NULL,-1e300}');
    const back = await ctx.destination.query('SELECT unnest($1::float8[]) AS n', [array]);
    expect(back.map(({ n }) => n)).toEqual(['1.5', 'NaN', null, '-1e+300']);
  });

  test('boxes have a delimiter of their own', async () => {
    const tuples: Tuple[] = [['(1,1),(0,0)'], [null], ['(3,2),(-0,1)']];
    const [array] = arraysOf(tuples, [0], { plain: false, delimiter: ';' });
    const back = await ctx.destination.query('SELECT unnest($1::box[]) AS b', [array]);
    expect(back.map(({ b }) => [b])).toEqual(tuples);
  });

  test('a value that nobody knows is never written', () => {
    expect(() => arraysOf([[UNKNOWN]], [0], { plain: false, delimiter: ',' })).toThrow(TypeError);
    expect(() => copyText([[UNKNOWN]], [0])).toThrow(TypeError);
    expect(() => rowArray([[UNKNOWN]], [0])).toThrow(TypeError);
  });
});
