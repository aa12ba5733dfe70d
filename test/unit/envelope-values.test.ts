import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AvroReader, avroBytes } from '../../shared/envelope/avro-binary.ts';
import { avroName, nameOfAvro } from '../../shared/envelope/avro-names.ts';
import { type TableShape, type Tuple, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { type ColumnKind, readValue, writeValue } from '../../shared/envelope/column-value.ts';
import { murmur2, partitionOf } from '../../shared/envelope/partitioner.ts';
import { keyColumns, writeRowKey } from '../../shared/envelope/row-key.ts';
import { GrowingBytes } from '../../shared/kafka/growing-bytes.ts';
import { wireTuple } from '../support/outgoing-events.ts';

function roundTrip(kind: ColumnKind, text: string): string {
  const bytes = Buffer.from(`..${text}..`);
  const reader = new AvroReader();
  const written = avroBytes((writer) => {
    expect(writeValue(writer, kind, bytes, 2, bytes.length - 2)).toBe(true);
  });
  reader.start(written, 0);
  return readValue(reader, kind);
}

describe('column values', () => {
  test.each([
    '-0',
    '0',
    'NaN',
    'Infinity',
    '-Infinity',
    '5e-324',
    '1.7976931348623157e+308',
    '0.1',
    '1e+22',
    '123456.789',
  ])('double %s stays as it is', (text) => expect(roundTrip('double', text)).toBe(text));

  test('every double and every real keeps its value and sign', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value);
        expect(Object.is(Number(roundTrip('double', text)), value)).toBe(true);
      }),
    );
    // PostgreSQL writes a real with nine digits at most, and reads the decimal text, not a rounded double.
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), fc.integer({ min: -45, max: 30 }), (digits, exponent) => {
        const text = roundTrip('double', `${digits}e${exponent}`);
        const [, lead = '', rest = '', power = '0'] = /^(\d+)\.?(\d*)(?:e([+-]\d+))?$/.exec(text) ?? [];
        const read = BigInt(lead + rest) * 10n ** BigInt(Number(power) - rest.length + 400);
        expect(read).toBe(BigInt(digits) * 10n ** BigInt(exponent + 400));
      }),
    );
  });

  test.each([
    ['long', '9223372036854775807'],
    ['long', '-9223372036854775808'],
    ['long', '999999999999999'],
    ['long', '-99999999999999'],
    ['long', '4503599627370496'],
    ['int', '-2147483648'],
    ['boolean', 'f'],
    ['bytes', '\\x'],
    ['bytes', '\\x00ff'],
    ['string', ''],
    ['string', `${'a'.repeat(62)}é`],
    ['string', '€'.repeat(100_000)],
  ] as const)('%s %s stays as it is', (kind, text) => expect(roundTrip(kind, text)).toBe(text));

  test.each([
    ['bytes', 'abc'],
    ['bytes', '\\xabc'],
    ['bytes', '\\xzz'],
    ['boolean', 'true'],
    ['double', 'x'],
    ['long', '1234567890123456789x'],
  ] as const)('%s refuses %s', (kind, text) => expect(() => roundTrip(kind, text)).toThrow(RangeError));

  test('integers of all sizes come back', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.nat(),
        (long, int, nat) => {
          const written = avroBytes((writer) => {
            writer.long(long);
            writer.integer(int);
            writer.integer(int * 2 ** 20);
            writer.integer(nat);
            writer.long(int * 2 ** 21);
          });
          const reader = new AvroReader();
          reader.start(written, 0);
          const read = [reader.long(), reader.integer(), reader.integer(), reader.integer(), reader.long()];
          expect(read).toEqual([long, int, int * 2 ** 20, nat, BigInt(int * 2 ** 21)]);
        },
      ),
    );
  });
});

describe('Avro names', () => {
  const names = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.array(fc.constantFrom('_', 'x', '4', '1', '_x41', '_x5f', 'é', 'X', '-')).map((parts) => parts.join('') || 'a'),
  );

  test('are legal, can be read back, and so stay apart', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(avroName(name)).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/);
        expect(nameOfAvro(avroName(name))).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  test('are the names themselves where that is possible', () => {
    expect(['customer_id', '_a', 'x_x', '1st', 'größe', 'a_x41'].map(avroName)).toEqual([
      ...['customer_id', '_a', 'x_x', '_x31st', 'gr_xc3_xb6_xc3_x9fe', 'a_x5fx41'],
    ]);
  });
});

describe('the row key', () => {
  function rowKey(shape: TableShape, row: Tuple): string | null {
    const out = new GrowingBytes(1);
    if (writeRowKey(out, keyColumns(shape), wireTuple(row))) return out.buffer.toString('utf8', 0, out.at);
    expect(out.at).toBe(0);
    return null;
  }

  const shape = (...keys: boolean[]): TableShape => ({
    ...{ schema: 's', name: 't', oid: 1, identity: 'default' },
    columns: keys.map((key, index) => ({ name: `c${index}`, typeOid: 25, typmod: -1, type: 'text', key })),
  });

  test('is the key columns in their order, as JSON', () => {
    expect(rowKey(shape(true, false, true), ['a"b', 'x', '2'])).toBe('["a\\"b","2"]');
    expect(rowKey(shape(false), ['x'])).toBeNull();
    expect(rowKey(shape(true, true), ['x', UNKNOWN])).toBeNull();
  });

  test('differs for different keys', () => {
    const odd = fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\u0001', '\u007f', 'é', 'a') });
    const value = fc.option(fc.oneof(fc.string({ unit: 'grapheme' }), odd));
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const same = a === c && b === d;
        expect(rowKey(shape(true, true), [a, b]) === rowKey(shape(true, true), [c, d])).toBe(same);
        expect(rowKey(shape(true, true), [a, b])).toBe(JSON.stringify([a, b]));
      }),
    );
  });

  test('gives the partition that Kafka clients give', () => {
    // From the tests of Kafka's own Utils.murmur2.
    const known = { '21': -973932308, foobar: -790332482, 'a-little-bit-long-string': -985981536, abc: 479470107 };
    for (const [text, hash] of Object.entries(known)) expect(murmur2(Buffer.from(text))).toBe(hash);
    expect(partitionOf(null, 7)).toBe(0);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 50 }), (key, partitions) => {
        const partition = partitionOf(Buffer.from(key), partitions);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
      }),
    );
  });
});
