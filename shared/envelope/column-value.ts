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

/**
 * The text that lies in `bytes` from `start` to `end`. False: it is not valid UTF-8.
 * @throws RangeError when it is none that PostgreSQL writes for the type
 */
export function writeValue(writer: AvroWriter, kind: ColumnKind, bytes: Buffer, start: number, end: number): boolean {
  switch (kind) {
    case 'string':
      return writer.text(bytes, start, end);
    case 'int':
      writer.integer(parseInteger(bytes, start, end));
      return true;
    case 'long':
      if (end - start <= SAFE_DIGITS) writer.integer(parseInteger(bytes, start, end));
      else writer.long(parseLong(bytes.toString('latin1', start, end)));
      return true;
    case 'double':
      writer.double(parseDouble(bytes.toString('latin1', start, end)));
      return true;
    case 'boolean': {
      const isTrue = bytes[start] === TRUE;
      if (end - start !== 1 || !(isTrue || bytes[start] === FALSE)) throw new RangeError('not a boolean');
      writer.boolean(isTrue);
      return true;
    }
    case 'bytes':
      writer.hexBytes(bytes, start, end);
      return true;
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

const MINUS = 0x2d;
const ZERO = 0x30;
const TRUE = 0x74;
const FALSE = 0x66;

function parseInteger(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (first >= end) throw new RangeError('not an integer');
  let value = 0;
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) throw new RangeError('not an integer');
    value = value * 10 + digit;
  }
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
