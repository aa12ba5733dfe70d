import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnArrays, rowArray } from '../../services/sink-postgres/apply/array-literal.ts';
import { checkNamedRows } from '../../services/sink-postgres/names/copy-rows.ts';
import { arrayElements, rowFields } from '../../services/sink-postgres/names/literals.ts';
import { misnamed, type NamingType } from '../../services/sink-postgres/names/naming-type.ts';

const text = fc.oneof(fc.string(), fc.constantFrom('', 'NULL', '"', '\\', '{', '}', ',', '(', ')', '1', 'a"b\\c'));
const value = fc.option(text);
const name: NamingType = { kind: 'name' };
const names: NamingType = { kind: 'array', of: name, delimiter: ',' };
const pair: NamingType = { kind: 'row', fields: [null, name] };

describe('literals', () => {
  test('elements of any array come back', () => {
    fc.assert(
      fc.property(fc.array(value), fc.constantFrom(',', ';'), (values, delimiter) => {
        const rows = values.map((one) => [one]);
        const literal = String(columnArrays(rows, [0], () => ({ plain: false, delimiter }))[0]);
        expect(arrayElements(literal, delimiter)).toEqual(values);
        expect(arrayElements(`[0:9][-1:3]={${literal}${delimiter}${literal}}`, delimiter)).toEqual([
          ...values,
          ...values,
        ]);
      }),
    );
  });

  test('fields of any row come back', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 5 }), (values) => {
        const [row] = arrayElements(rowArray([values], [...values.keys()]), ',');
        expect(rowFields(row!)).toEqual(values);
      }),
    );
  });
});

describe('a value that names an object', () => {
  test.each([
    [name, 'pg_class', null],
    [name, '-', null],
    [name, '0', null],
    [name, '"12345"', null],
    [name, '12345', '12345'],
    [name, 'pg_toast.pg_toast_12345', 'pg_toast.pg_toast_12345'],
    [name, 'pg_temp_3.t', 'pg_temp_3.t'],
    [names, '{pg_class,NULL,"\\"12345\\"",-}', null],
    [names, '[0:1][2:2]={{pg_class},{77}}', '77'],
    [pair, '(5,pg_class)', null],
    [pair, '(5,)', null],
    [pair, '(5,6)', '6'],
    [{ kind: 'array', of: pair, delimiter: ',' }, '{"(1,pg_class)","(\\"2,\\",3)"}', '3'],
    [{ kind: 'row', fields: [names] }, '("{1,""x y""}")', '1'],
  ] as const)('%j %s', (type, literal, expected) => {
    expect(misnamed(type as NamingType, literal)).toBe(expected);
  });

  test('is found in COPY text, with its row', () => {
    const naming = new Map([['o', pair]]);
    const check = (rows: string) =>
      checkNamedRows(Buffer.from(rows), { columns: ['id', 'o'], naming, place: 'chunk 1' });
    check('1\t(12345,"a\\\\"b")\n2\t\\N\n12345\t(1,-)\n');
    expect(() => check('1\t(1,-)\n2\t(a\\tb,12345)\n')).toThrow(/chunk 1, row 2: column o .* 12345/);
  });
});
