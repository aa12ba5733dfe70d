import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';

export interface ComparedColumn {
  readonly name: string;
  /** format_type() without modifiers. */
  readonly type: string;
  readonly key: boolean;
}

export interface ComparedTable {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly ComparedColumn[];
  /** The two servers write floats differently (before 12 with all digits): their bytes are compared instead. */
  readonly floatsAsBytes: boolean;
}

/**
 * How the rows of a table are put into one order on both servers, whatever their collations:
 *   number   a single integer key, by its value: the key's index gives the order
 *   text     any other key, by the bytes of its text as a record
 *   hash     without a key, by the MD5 of the whole row; equal rows are told apart by nothing but their number
 */
export type RowOrder = 'number' | 'text' | 'hash';

const integers = new Set(['smallint', 'integer', 'bigint', 'oid']);

/** Types that hold floats, with the functions that give their bytes; of arrays array_send does. */
const floats: ReadonlyMap<string, string> = new Map([
  ['real', 'float4send'],
  ['double precision', 'float8send'],
  ['point', 'point_send'],
  ['line', 'line_send'],
  ['lseg', 'lseg_send'],
  ['box', 'box_send'],
  ['path', 'path_send'],
  ['polygon', 'poly_send'],
  ['circle', 'circle_send'],
]);

export function rowOrder(table: ComparedTable): RowOrder {
  const keys = table.columns.filter(({ key }) => key);
  const [only] = keys;
  if (!only) return 'hash';
  return keys.length === 1 && integers.has(only.type) ? 'number' : 'text';
}

/**
 * The query whose first column orders and identifies the rows, and whose other columns are the table's.
 * A row as a whole is written by the types' output functions: no cast that a user made takes part.
 */
export function comparisonSql(table: ComparedTable): string {
  const columns = table.columns.map((column) => valueSql(table, column));
  const from = `FROM ONLY ${quoteTable(table)}`;
  if (rowOrder(table) === 'number') {
    const key = quoteIdentifier(table.columns.find((column) => column.key)?.name ?? '');
    return `COPY (SELECT ${[key, ...columns].join(', ')} ${from} ORDER BY ${key}) TO STDOUT`;
  }
  const first = rowOrder(table) === 'text' ? keyText(table) : rowHash(columns);
  const list = [`${first} COLLATE "C" AS sluice_order`, ...columns].join(', ');
  return `COPY (SELECT ${list} ${from} ORDER BY 1) TO STDOUT`;
}

function keyText(table: ComparedTable): string {
  const keys = table.columns.filter(({ key }) => key).map((column) => valueSql(table, column));
  return `ROW(${keys.join(', ')})::text`;
}

function rowHash(columns: readonly string[]): string {
  return `pg_catalog.md5(ROW(${columns.join(', ')})::text)`;
}

function valueSql(table: ComparedTable, { name, type }: ComparedColumn): string {
  const column = quoteIdentifier(name);
  const send = type.endsWith('[]') && floats.has(type.slice(0, -2)) ? 'array_send' : floats.get(type);
  return table.floatsAsBytes && send !== undefined ? `pg_catalog.${send}(${column})` : column;
}

/** Negative, zero or positive, in the order that the server gave: `a` and `b` are the first columns, as COPY wrote them. */
export function compareOrder(order: RowOrder, a: Buffer, b: Buffer): number {
  if (order === 'number') {
    const difference = BigInt(a.toString('latin1')) - BigInt(b.toString('latin1'));
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  return Buffer.compare(unescapeCopy(a), unescapeCopy(b));
}

const escapes: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
const BACKSLASH = 0x5c;
const TAB = 0x09;

/** The first column of a COPY line, still escaped. */
export function firstColumn(line: Buffer): Buffer {
  const end = line.indexOf(TAB);
  return end < 0 ? line : line.subarray(0, end);
}

/** @see https://www.postgresql.org/docs/current/sql-copy.html (text format) */
export function unescapeCopy(text: Buffer): Buffer {
  if (!text.includes(BACKSLASH)) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0;
    if (byte !== BACKSLASH) {
      bytes.push(byte);
      continue;
    }
    at += 1;
    const next = text[at] ?? BACKSLASH;
    bytes.push(escapes[String.fromCharCode(next)] ?? next);
  }
  return Buffer.from(bytes);
}
