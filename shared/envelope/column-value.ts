import type { AvroReader, AvroWriter } from './avro-binary.ts';

/**
 * Column values between PostgreSQL's text and Avro, exact: native types only where nothing is lost, text for every
 * other type. `real` travels as double: decimal texts of up to 15 digits survive a double, not always a float.
 */

export type ColumnKind = 'boolean' | 'int' | 'long' | 'double' | 'bytes' | 'string';

const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const FLOAT4 = 700;
const FLOAT8 = 701;

const kinds: ReadonlyMap<number, ColumnKind> = new Map([
  [BOOL, 'boolean'],
  [BYTEA, 'bytes'],
  [INT8, 'long'],
  [INT2, 'int'],
  [INT4, 'int'],
  [FLOAT4, 'double'],
  [FLOAT8, 'double'],
]);

export function columnKind(typeOid: number): ColumnKind {
  return kinds.get(typeOid) ?? 'string';
}

/** @throws RangeError when the text is none that PostgreSQL writes for the type. */
export function writeValue(writer: AvroWriter, kind: ColumnKind, text: string): void {
  switch (kind) {
    case 'string':
      writer.string(text);
      break;
    case 'int':
      writer.integer(parseInteger(text));
      break;
    case 'long':
      if (text.length <= SAFE_DIGITS) writer.integer(parseInteger(text));
      else writer.long(parseLong(text));
      break;
    case 'double':
      writer.double(parseDouble(text));
      break;
    case 'boolean':
      if (text !== 't' && text !== 'f') throw new RangeError('not a boolean');
      writer.boolean(text === 't');
      break;
    case 'bytes':
      writer.hexBytes(text);
  }
}

export function readValue(reader: AvroReader, kind: ColumnKind): string {
  switch (kind) {
    case 'string':
      return reader.string();
    case 'int':
      return String(reader.integer());
    case 'long':
      return reader.long().toString();
    case 'double':
      return formatDouble(reader.double());
    case 'boolean':
      return reader.boolean() ? 't' : 'f';
    case 'bytes':
      return reader.hexBytes();
  }
}

/** Sign included: below 2^52. */
const SAFE_DIGITS = 15;

function parseInteger(text: string): number {
  const negative = text.charCodeAt(0) === 0x2d;
  let value = 0;
  for (let index = negative ? 1 : 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) throw new RangeError('not an integer');
    value = value * 10 + digit;
  }
  if (text.length === (negative ? 1 : 0)) throw new RangeError('not an integer');
  return negative ? -value : value;
}

function parseLong(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new RangeError('not an integer');
  return BigInt(text);
}

function parseDouble(text: string): number {
  const value = Number(text);
  if (Number.isNaN(value) && text !== 'NaN') throw new RangeError('not a floating-point number');
  return value;
}

/** PostgreSQL reads `1e+21`, `NaN`, `Infinity` as JavaScript writes them; JavaScript writes -0 without its sign. */
function formatDouble(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
