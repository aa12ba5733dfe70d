import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { columnArray, rowArray } from '../../services/sink-postgres/apply/array-literal.ts';
import { type Tuple, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { type TestContext, testContext } from '../support/context.ts';

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
const value = fc.option(text);
const rows = fc.array(fc.tuple(value, value, value), { maxLength: 8 });

describe('array literals', () => {
  test('any texts and NULLs come back from unnest as they were', async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (tuples) => {
        const arrays = [0, 1, 2].map((index) => columnArray(tuples, index, { plain: false, delimiter: ',' }));
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
    const array = columnArray(tuples, 0, { plain: true, delimiter: ',' });
    expect(array).toBe('{1.50,NaN,NULL,-1e300}');
    const back = await ctx.destination.query('SELECT unnest($1::float8[]) AS n', [array]);
    expect(back.map(({ n }) => n)).toEqual(['1.5', 'NaN', null, '-1e+300']);
  });

  test('boxes have a delimiter of their own', async () => {
    const tuples: Tuple[] = [['(1,1),(0,0)'], [null], ['(3,2),(-0,1)']];
    const array = columnArray(tuples, 0, { plain: false, delimiter: ';' });
    const back = await ctx.destination.query('SELECT unnest($1::box[]) AS b', [array]);
    expect(back.map(({ b }) => [b])).toEqual(tuples);
  });

  test('a value that nobody knows is never written', () => {
    expect(() => columnArray([[UNKNOWN]], 0, { plain: false, delimiter: ',' })).toThrow(TypeError);
    expect(() => rowArray([[UNKNOWN]], [0])).toThrow(TypeError);
  });
});
