import type { Tuple } from '../../../shared/envelope/change-event.ts';
import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { ConflictPolicy } from '../../../shared/task/definition.ts';
import { columnArrays, rowArray } from './array-literal.ts';
import { copyText } from './copy-text.ts';
import { type Row, sizeOf, tupleOf } from './row.ts';
import type { DestinationTable, Target } from './target.ts';

/**
 * SQL for the changes of one table. A value reaches its column only through an input function and an assignment: COPY,
 * `unnest($1::element[])`, an array of the table's row type, or a parameter typed by its column; never `text::type`,
 * which cuts varchar(n) and bit(n) in silence.
 */

export interface Statement {
  readonly text: string;
  /** As text; Buffers are UTF-8. */
  readonly values: readonly (string | Buffer | null)[];
  /** What a COPY FROM STDIN reads. */
  readonly copy?: Buffer;
}

/** From so many rows on COPY costs the server less, below it a prepared statement. */
const COPY_ROWS = 50;

/** Each row is new: one of the same key is an error, where a unique index stands behind the key. null: not by COPY. */
export function copyRows(target: Target, rows: readonly Row[]): Statement | null {
  const { written, key, arbiter, table } = target;
  if (rows.length < COPY_ROWS || written.length === 0 || (key.length > 0 && !arbiter)) return null;
  const text = texts.of(target, 'copy', () => {
    const columns = written.map((index) => name(target, index)).join(', ');
    return `COPY ${quoteTable(table)} (${columns}) FROM STDIN`;
  });
  return { text, values: [], copy: copyText(rows, written) };
}

/**
 * Rows are complete. An existing row of the same key is overwritten, or under another policy kept: then fewer
 * rows are inserted than given. So it is under every policy where no unique index stands behind the key; where one does,
 * and `none meets`, an existing row is an error, as with COPY. null: to be written row by row.
 */
export function insertRows(
  target: Target,
  rows: readonly Row[],
  policy: ConflictPolicy | 'none meets',
): Statement | null {
  const { written } = target;
  if (written.length === 0) {
    const text = `INSERT INTO ${quoteTable(target.table)} SELECT FROM generate_series(1, $1::int)`;
    return { text, values: [String(rows.length)] };
  }
  const source = isOneLarge(rows) ? null : rowSource(target, written);
  if (!source) return null;
  const text = texts.of(target, `insert ${policy}`, () => insertText(target, source, policy));
  return { text, values: source.values(rows) };
}

function insertText(target: Target, source: RowSource, policy: ConflictPolicy | 'none meets'): string {
  const { written, key, arbiter } = target;
  const select = `SELECT ${written.map(source.column).join(', ')} FROM ${source.text}`;
  const exists = `SELECT FROM ${only(target.table)} AS t WHERE ${keyEquals(target, source.column)}`;
  const insert = `${insertInto(target)} ${select}`;
  if (arbiter) return policy === 'none meets' ? insert : insert + onConflict(target, policy === 'overwrite');
  return key.length > 0 ? `${insert} WHERE NOT EXISTS (${exists})` : insert;
}

/** Sets the columns `set` of the rows with the key of each tuple; without columns it finds them. null: to be written row by row. */
export function updateRows(target: Target, set: readonly number[], rows: readonly Row[]): Statement | null {
  const source = isOneLarge(rows) ? null : rowSource(target, [...target.key, ...set]);
  if (!source) return null;
  const text = texts.of(target, `update ${set}`, () => updateText(target, set, source));
  return { text, values: source.values(rows) };
}

function updateText(target: Target, set: readonly number[], source: RowSource): string {
  const where = `WHERE ${keyEquals(target, source.column)}`;
  if (set.length === 0) return `SELECT FROM ${only(target.table)} AS t, ${source.text} ${where}`;
  const assignments = set.map((index) => `${name(target, index)} = ${source.column(index)}`).join(', ');
  const from = `FROM ${source.text} ${where}`;
  return `UPDATE ${only(target.table)} AS t SET ${assignments} ${from}`;
}

/** Deletes the rows with the key of each tuple. */
export function deleteRows(target: Target, rows: readonly Row[]): Statement | null {
  const source = rowSource(target, target.key);
  if (!source) return null;
  const text = texts.of(target, 'delete', () => {
    const using = `USING ${source.text} WHERE ${keyEquals(target, source.column)}`;
    return `DELETE FROM ${only(target.table)} AS t ${using}`;
  });
  return { text, values: source.values(rows) };
}

/**
 * Deletes one physical row for each tuple of a table without a key. Rows are the same when their text is: that is all
 * a change event says of them, and types without equality (json, point, xml) have it too. The n-th of some equal tuples
 * takes the n-th of the equal rows.
 */
export function removeRows(target: Target, rows: readonly Tuple[]): Statement | null {
  if (target.written.length === 0) return null;
  const source = rowSource(target, target.written);
  if (!source) return null;
  return {
    text: `${matched(target, { source: source.text, before: source.column, more: '' })}
      DELETE FROM ${only(target.table)} AS t USING gone JOIN found USING (image, nth)
      WHERE t.tableoid = found.tableoid AND t.ctid = found.ctid`,
    values: source.values(rows),
  };
}

/** Old image and new row of a table without a key. */
export interface Alteration {
  readonly before: Tuple;
  readonly after: Tuple;
}

/** Beyond it old and new values do not fit into one row of a query (1,664 columns). */
const MOST_PAIRED_COLUMNS = 800;

/** As removeRows, but each row is updated where it stands: columns that only the destination has keep their values. */
export function alterRows(target: Target, rows: readonly Alteration[]): Statement | null {
  const { written } = target;
  if (written.length === 0 || written.length > MOST_PAIRED_COLUMNS) return null;
  const source = pairSource(target, rows);
  if (!source) return null;
  const more = written.map((index) => `, ${source.after(index)} AS n${index}`).join('');
  const assignments = written.map((index) => `${name(target, index)} = gone.n${index}`).join(', ');
  return {
    text: `${matched(target, { source: source.text, before: source.before, more })}
      UPDATE ${only(target.table)} AS t SET ${assignments} FROM gone JOIN found USING (image, nth)
      WHERE t.tableoid = found.tableoid AND t.ctid = found.ctid`,
    values: source.values,
  };
}

interface Wanted {
  readonly source: string;
  readonly before: (index: number) => string;
  /** Further columns of `gone`. */
  readonly more: string;
}

/** WITH `gone`, the wanted images, and `found`, the rows that have one of them; both numbered among equal ones. */
function matched(target: Target, { source, before, more }: Wanted): string {
  const wanted = `ROW(${target.written.map(before).join(', ')})::text`;
  const present = `ROW(${target.written.map((index) => `i.${name(target, index)}`).join(', ')})::text`;
  const nth = (image: string) => `row_number() OVER (PARTITION BY ${image}) AS nth`;
  const gone = `SELECT ${wanted} AS image, ${nth(wanted)}${more} FROM ${source}`;
  const found = `SELECT i.tableoid, i.ctid, ${present} AS image, ${nth(present)} FROM ${only(target.table)} AS i
    WHERE ${present} IN (SELECT image FROM gone)`;
  return `WITH gone AS (${gone}), found AS (${found})`;
}

export function truncateTables(tables: readonly DestinationTable[], restartIdentity: boolean): Statement {
  const text = `TRUNCATE TABLE ${tables.map(only).join(', ')}${restartIdentity ? ' RESTART IDENTITY' : ''}`;
  return { text, values: [] };
}

const LARGE_ROW = 1024 * 1024;

/** A single large row goes as parameters of its own: an array literal of it would be another copy, and a longer one. */
function isOneLarge(rows: readonly Row[]): boolean {
  return rows.length === 1 && sizeOf(rows[0]!) > LARGE_ROW;
}

interface RowSource {
  /** To stand after FROM. */
  readonly text: string;
  readonly column: (index: number) => string;
  readonly values: (rows: readonly Row[]) => readonly (string | Buffer)[];
}

/** What depends on a target alone is made once: of a thousand tables there are thousands of statements in each batch. */
class OfTarget<T> {
  readonly #made = new WeakMap<Target, Map<string, T>>();

  of(target: Target, name: string, make: () => T): T {
    let ofTarget = this.#made.get(target);
    if (!ofTarget) {
      ofTarget = new Map();
      this.#made.set(target, ofTarget);
    }
    let made = ofTarget.get(name);
    if (made === undefined) {
      made = make();
      ofTarget.set(name, made);
    }
    return made;
  }
}

const texts = new OfTarget<string>();
const sources = new OfTarget<RowSource | null>();

/**
 * Rows as a table expression `r` that gives the columns `indexes`; null when no set-based form can carry them:
 * a row literal leaves the other columns NULL, which a domain among them may refuse.
 */
function rowSource(target: Target, indexes: readonly number[]): RowSource | null {
  return sources.of(target, String(indexes), () => makeSource(target, indexes));
}

function makeSource(target: Target, indexes: readonly number[]): RowSource | null {
  const columns = indexes.map((index) => target.columns[index]!);
  if (columns.every(({ element }) => element !== null)) {
    const names = indexes.map((index) => `c${index}`).join(', ');
    const parameters = columns.map(({ element }, i) => `$${i + 1}::${element}[]`).join(', ');
    return {
      text: `unnest(${parameters}) AS r(${names})`,
      column: (index) => `r.c${index}`,
      values: (rows) => columnArrays(rows, indexes, (index) => target.columns[index]!),
    };
  }
  const given = new Set(indexes);
  const fields = target.fields.map((index) => (given.has(index) ? index : -1));
  if (target.table.columns.some(({ domain }, i) => domain && fields[i] === -1)) return null;
  return {
    text: `unnest($1::${quoteTable(target.table)}[]) AS r`,
    column: (index) => `r.${name(target, index)}`,
    values: (rows) => [rowArray(rows.map(tupleOf), fields)],
  };
}

interface PairSource {
  readonly text: string;
  readonly before: (index: number) => string;
  readonly after: (index: number) => string;
  readonly values: readonly (string | Buffer)[];
}

/** Old images and new rows side by side. */
function pairSource(target: Target, rows: readonly Alteration[]): PairSource | null {
  const { written } = target;
  const sides = [rows.map(({ before }) => before), rows.map(({ after }) => after)];
  const columns = written.map((index) => target.columns[index]!);
  if (columns.every(({ element }) => element !== null)) {
    const names = ['b', 'a'].flatMap((side) => written.map((index) => `${side}${index}`)).join(', ');
    const types = [...columns, ...columns].map(({ element }, i) => `$${i + 1}::${element}[]`).join(', ');
    return {
      text: `unnest(${types}) AS r(${names})`,
      before: (index) => `r.b${index}`,
      after: (index) => `r.a${index}`,
      values: sides.flatMap((side) => columnArrays(side, written, (index) => target.columns[index]!)),
    };
  }
  const given = new Set(written);
  const fields = target.fields.map((index) => (given.has(index) ? index : -1));
  if (target.table.columns.some(({ domain }, i) => domain && fields[i] === -1)) return null;
  const rowType = `${quoteTable(target.table)}[]`;
  return {
    text: `(SELECT unnest($1::${rowType}) AS b, unnest($2::${rowType}) AS a) AS r`,
    before: (index) => `(r.b).${name(target, index)}`,
    after: (index) => `(r.a).${name(target, index)}`,
    values: sides.map((side) => rowArray(side, fields)),
  };
}

export function insertInto(target: Target): string {
  const columns = target.written.map((index) => name(target, index)).join(', ');
  return `INSERT INTO ${quoteTable(target.table)} (${columns}) OVERRIDING SYSTEM VALUE`;
}

export function onConflict(target: Target, overwrites: boolean): string {
  if (!target.arbiter) return '';
  const rest = target.written.filter((index) => !staysEqual(target, index)).map((index) => name(target, index));
  const action =
    overwrites && rest.length > 0
      ? `DO UPDATE SET ${rest.map((column) => `${column} = EXCLUDED.${column}`).join(', ')}`
      : 'DO NOTHING';
  return ` ON CONFLICT (${target.key.map((index) => name(target, index)).join(', ')}) ${action}`;
}

/** Equal integers are the same; other keys may be equal and written otherwise: 1.0 and 1.00, citext. */
function staysEqual({ key, columns }: Target, index: number): boolean {
  return key.includes(index) && integers.has(columns[index]!.type);
}

const integers = new Set(['smallint', 'integer', 'bigint']);

function keyEquals(target: Target, column: (index: number) => string): string {
  return target.key.map((index, i) => `t.${name(target, index)} ${target.equals[i]} ${column(index)}`).join(' AND ');
}

export function name(target: Target, index: number): string {
  return quoteIdentifier(target.columns[index]!.name);
}

export function only(table: DestinationTable): string {
  return table.partitioned ? quoteTable(table) : `ONLY ${quoteTable(table)}`;
}
