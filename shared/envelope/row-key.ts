import type { GrowingBytes } from '../kafka/growing-bytes.ts';
import type { TableShape } from './change-event.ts';
import { NULL, TEXT, type WireTuple } from './wire-tuple.ts';

const keyColumnsOf = new WeakMap<TableShape, readonly number[]>();

/** Which columns make a table's row key, in column order; empty for a table without a key. */
export function keyColumns(shape: TableShape): readonly number[] {
  const known = keyColumnsOf.get(shape);
  if (known) return known;
  const columns = shape.columns.flatMap((column, index) => (column.key ? [index] : []));
  keyColumnsOf.set(shape, columns);
  return columns;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const SPACE = 0x20;
const NULL_TEXT = Buffer.from('null');
/** Quotes and a comma. */
const AROUND = 3;

/**
 * Writes the row key, the key of the row's Kafka records: a JSON array of the key columns' PostgreSQL texts, in column
 * order. False, and nothing is written, where the table has no key or the tuple does not hold all of it.
 */
export function writeRowKey(out: GrowingBytes, columns: readonly number[], tuple: WireTuple): boolean {
  if (columns.length === 0) return false;
  for (const column of columns) {
    const kind = tuple.kinds[column];
    if (kind !== TEXT && kind !== NULL) return false;
  }
  out.reserve(1);
  out.buffer[out.at++] = 0x5b; // [
  for (let i = 0; i < columns.length; i++) {
    out.reserve(AROUND + NULL_TEXT.length);
    if (i > 0) out.buffer[out.at++] = COMMA;
    if (tuple.kinds[columns[i]!] === TEXT) writeJsonText(out, tuple, columns[i]!);
    else for (const byte of NULL_TEXT) out.buffer[out.at++] = byte;
  }
  out.reserve(1);
  out.buffer[out.at++] = 0x5d; // ]
  return true;
}

/** As JSON.stringify: it escapes nothing in valid UTF-8 but quotes, backslashes and what is below a space. */
function writeJsonText(out: GrowingBytes, tuple: WireTuple, column: number): void {
  const { bytes } = tuple;
  const start = tuple.starts[column]!;
  const end = tuple.ends[column]!;
  out.reserve(end - start + AROUND);
  const { buffer } = out;
  let at = out.at;
  buffer[at++] = QUOTE;
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!;
    if (byte === QUOTE || byte === BACKSLASH || byte < SPACE) {
      writeEscaped(out, tuple.text(column));
      return;
    }
    buffer[at++] = byte;
  }
  buffer[at++] = QUOTE;
  out.at = at;
}

function writeEscaped(out: GrowingBytes, text: string): void {
  const json = Buffer.from(JSON.stringify(text));
  out.reserve(json.length);
  json.copy(out.buffer, out.at);
  out.at += json.length;
}
