import type { Random } from '../random.ts';

/** A column's type, and values of it as text. */
export interface ColumnType {
  readonly sql: string;
  value(random: Random): string;
}

/** Types that users make; `schema` is quoted already. */
export function typeDefinitions(schema: string): string {
  return `
CREATE TYPE ${schema}.mood AS ENUM ('sad', 'ok', 'odd "label", with comma', 'ünï', '');
CREATE TYPE ${schema}."Pair" AS (a int, "b c" text);
CREATE TYPE ${schema}.nested AS (p ${schema}."Pair", list numeric[], mood ${schema}.mood);
CREATE DOMAIN ${schema}.short AS varchar(12) CHECK (VALUE <> 'forbidden');
CREATE DOMAIN ${schema}.list AS int[] CHECK (cardinality(VALUE) < 50);
CREATE TYPE ${schema}.floats AS RANGE (subtype = float8);
`;
}

/** One of some edge values, or what is made at random. */
function oneOf(sql: string, edges: readonly string[], made?: (random: Random) => string): ColumnType {
  const pick = (random: Random) => random.pick(edges as [string, ...string[]]);
  return { sql, value: (random) => (made && random.chance(0.6) ? made(random) : pick(random)) };
}

const digits = (random: Random, count: number) =>
  Array.from({ length: count }, () => String(random.integer(0, 10))).join('');
const hex = (random: Random, bytes: number) =>
  Array.from({ length: bytes }, () => random.integer(0, 256).toString(16).padStart(2, '0')).join('');
const uuid = (random: Random) => hex(random, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const moment = (random: Random) => new Date(random.integer(-3e12, 9e12)).toISOString().replace('Z', '123Z');
const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
const bits = (random: Random, count: number) =>
  Array.from({ length: count }, () => String(random.integer(0, 2))).join('');
const allBytes = `\\x${Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('')}`;
const controls = Array.from({ length: 31 }, (_, code) => String.fromCharCode(code + 1)).join('');

/** Long enough to be stored out of line, sometimes. */
export const largeText: ColumnType = {
  sql: 'text',
  value: (random) =>
    random.chance(0.5) ? random.text() : `${random.text()}${hex(random, random.integer(500, 5_000))}`,
};

export function columnTypes(schema: string): ColumnType[] {
  const moods = ['sad', 'ok', 'odd "label", with comma', 'ünï', ''];
  const composite = (random: Random) => `(${random.integer(-9, 9)},${quoted(random.text(6))})`;
  return [
    oneOf('smallint', ['0', '-32768', '32767']),
    oneOf('integer', ['0', '-2147483648', '2147483647'], (r) => String(r.integer(-1e6, 1e6))),
    oneOf('bigint', ['-9223372036854775808', '9223372036854775807', '9007199254740993']),
    oneOf(
      'numeric',
      ['NaN', 'Infinity', '-Infinity', '0.000', '-0.10', '1e300', '1e-300'],
      (r) => `${digits(r, r.integer(1, 60))}.${digits(r, r.integer(1, 60))}`,
    ),
    oneOf('numeric(20,4)', ['NaN', '0', '9999999999999999.9999', '-0.0001'], (r) => `${digits(r, 9)}.${digits(r, 4)}`),
    oneOf('real', ['NaN', 'Infinity', '-Infinity', '-0', '1e-40', '3.4028235e38'], (r) => String(r.next())),
    oneOf('double precision', ['NaN', 'Infinity', '-Infinity', '-0', '5e-324', '1.7976931348623157e308'], (r) =>
      String(r.next() * 1e9),
    ),
    oneOf('boolean', ['true', 'false']),
    oneOf('text', ['', '\\N', 'NULL', controls, ' trailing ', '\r\n', '\\.'], (r) => r.text()),
    oneOf('varchar(30)', ['', ' ', 'x'.repeat(30)], (r) => [...r.text()].slice(0, 30).join('')),
    oneOf('char(8)', ['', 'a ', 'äöü'], (r) => [...r.text()].slice(0, 8).join('')),
    oneOf('"char"', ['', 'a', '\\377', '\\200']),
    oneOf('name', ['', 'x'.repeat(63)], (r) => [...r.text(10)].slice(0, 12).join('')),
    oneOf('bytea', ['\\x', '\\x00', allBytes], (r) => `\\x${hex(r, r.integer(0, 300))}`),
    oneOf('date', ['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '0001-01-01'], (r) =>
      moment(r)
        .slice(0, 10)
        .replace(/^[+-]\d\d/, ''),
    ),
    oneOf('time', ['00:00', '24:00:00', '23:59:59.999999']),
    oneOf('time(2) with time zone', ['24:00:00-15:59', '00:00:00+15:59', '12:34:56.78+01:30:15']),
    oneOf('timestamp', [
      'infinity',
      '-infinity',
      '4713-01-01 00:00:00 BC',
      '294276-12-31 23:59:59.999999',
      '2000-01-01 00:00:00.000001',
    ]),
    oneOf('timestamptz', [
      'infinity',
      '-infinity',
      '4713-01-02 00:00:00+00 BC',
      '294276-12-30 23:59:59.999999+00',
      '2026-03-29 02:30:00.1+02',
    ]),
    oneOf('interval', [
      '0',
      '1 year 2 mons -3 days 04:05:06.789',
      '-178000000 years',
      '1 mon -30 days',
      'infinity',
      '-00:00:00.000001',
    ]),
    oneOf('uuid', ['00000000-0000-0000-0000-000000000000'], uuid),
    oneOf('json', ['{"a": 1,  "a":2 }', ' null ', '[1e400, -0, "\\u0041\\n"]', '"ü"'], (r) =>
      JSON.stringify({ text: r.text(), deep: [[{}]] }),
    ),
    oneOf('jsonb', ['{"b": [1, {"a": null}], "": -0.10}', '"\\u00e9"', '123456789012345678901234567890.10'], (r) =>
      JSON.stringify({ text: r.text() }),
    ),
    oneOf('xml', ['<a b="c">&lt;x/&gt;</a>', '', 'text <b/> text']),
    oneOf('inet', ['192.168.0.1/24', '::1', '2001:db8::/32', '0.0.0.0/0']),
    oneOf('cidr', ['10.0.0.0/8', '::/0']),
    oneOf('macaddr', ['08:00:2b:01:02:03']),
    oneOf('macaddr8', ['08:00:2b:01:02:03:04:05']),
    oneOf('bit(5)', ['00000', '11111'], (r) => bits(r, 5)),
    oneOf('varbit(70)', ['', '1'], (r) => bits(r, r.integer(0, 70))),
    oneOf('money', ['-92233720368547758.08', '92233720368547758.07', '0.01']),
    oneOf('tsvector', ["'a':1A,2 'b c':3", '']),
    oneOf('tsquery', ["'a' & !'b' <-> 'c':*", '']),
    oneOf('point', ['(1,2)', '(NaN,-0)', '(1e-300,Infinity)']),
    oneOf('line', ['{1,2,3}']),
    oneOf('lseg', ['[(0,0),(1,1)]']),
    oneOf('box', ['(2,2),(0,0)', '(0,0),(0,0)']),
    oneOf('path', ['[(0,0),(1,1)]', '((0,0),(1,1),(2,0))']),
    oneOf('polygon', ['((0,0),(1,1),(2,0))']),
    oneOf('circle', ['<(0,0),2.5>']),
    oneOf('pg_lsn', ['0/0', 'FFFFFFFF/FFFFFFFF']),
    oneOf('oid', ['0', '4294967295']),
    oneOf('jsonpath', ['$."a"[*] ? (@ > 1)']),
    oneOf('int4range', ['empty', '(,)', '[1,10)', '[5,5]']),
    oneOf('numrange', ['[1.0,2.00)', '(,NaN]', 'empty']),
    oneOf('tstzrange', ['["2020-01-01 00:00:00+00",infinity)', '(,)', 'empty']),
    oneOf('daterange', ['[2020-01-01,2020-12-31]', '(-infinity,infinity)']),
    oneOf('int4multirange', ['{}', '{[1,3),[5,7)}']),
    oneOf(
      'text[]',
      ['{}', '{NULL}', '{"NULL","",\\\\N,"a,b{}\\""}', '{{a,b},{c,NULL}}'],
      (r) => `{${quoted(r.text())},NULL}`,
    ),
    oneOf('integer[]', ['[0:1]={1,NULL}', '[-1:0][2:3]={{1,2},{3,4}}', '{}'], (r) => `{${r.integer(0, 9)},NULL}`),
    oneOf('double precision[]', ['{NaN,-0,Infinity}', '{{1.5},{2.5}}']),
    oneOf('timestamptz[]', ['{infinity,"2020-01-01 00:00:00+00"}']),
    oneOf('numeric[]', ['{NaN,1.10,-0.0}']),
    oneOf('bytea[]', ['{"\\\\x00ff",NULL}']),
    oneOf('boolean[]', ['{t,f,NULL}']),
    oneOf('jsonb[]', ['{"{\\"a\\": 1}",null,NULL}']),
    oneOf(`${schema}.mood`, moods),
    oneOf(`${schema}.mood[]`, ['{sad,NULL,""}', '{"odd \\"label\\", with comma"}']),
    oneOf(`${schema}."Pair"`, ['(,)', '(1,)', '(,"")'], composite),
    oneOf(`${schema}."Pair"[]`, ['{"(1,x)",NULL}', '{}'], (r) => `{${quoted(composite(r))}}`),
    oneOf(`${schema}.nested`, ['(,,)', '("(1,x)","{1.10,NULL}",sad)'], (r) => `(${quoted(composite(r))},{NaN},ok)`),
    oneOf(`${schema}.short`, ['', 'twelve chars'], (r) => [...r.text()].slice(0, 12).join('')),
    oneOf(`${schema}.list`, ['{}', '[5:6]={1,2}']),
    oneOf(`${schema}.floats`, ['empty', '[NaN,NaN]', '(-Infinity,1.5)']),
  ];
}
