import type { Tuple } from '../../../shared/envelope/change-event.ts';
import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import { columnArray, rowArray } from './array-literal.ts';
import type { DestinationTable, Target } from './target.ts';

/**
 * SQL for the changes of one table. A value reaches its column only through an input function and an assignment:
 * `unnest($1::element[])`, an array of the table's row type, or a parameter typed by its column; never `text::type`,
 * which cuts varchar(n) and bit(n) in silence.
 */

export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Rows are complete tuples. An existing row of the same key is overwritten. */
export function insertRows(target: Target, rows: readonly Tuple[]): Statement | null {
  const { written } = target;
  if (written.length === 0) {
    const text = `INSERT INTO ${quoteTable(target.table)} SELECT FROM generate_series(1, $1::int)`;
    return { text, values: [String(rows.length)] };
  }
  const source = rowSource(target, written, rows);
  if (!source) return null;
  const select = `SELECT ${written.map(source.column).join(', ')} FROM ${source.text}`;
  return { text: `${insertInto(target)} ${select}${onConflict(target)}`, values: source.values };
}

/** Sets the columns `set` of the rows with the key of each tuple. */
export function updateRows(target: Target, set: readonly number[], rows: readonly Tuple[]): Statement | null {
  const source = rowSource(target, [...target.key, ...set], rows);
  if (!source) return null;
  const assignments = set.map((index) => `${name(target, index)} = ${source.column(index)}`).join(', ');
  const from = `FROM ${source.text} WHERE ${keyEquals(target, source.column)}`;
  return { text: `UPDATE ${only(target.table)} AS t SET ${assignments} ${from}`, values: source.values };
}

/** Deletes the rows with the key of each tuple. */
export function deleteRows(target: Target, rows: readonly Tuple[]): Statement | null {
  const source = rowSource(target, target.key, rows);
  if (!source) return null;
  const using = `USING ${source.text} WHERE ${keyEquals(target, source.column)}`;
  return { text: `DELETE FROM ${only(target.table)} AS t ${using}`, values: source.values };
}

/**
 * Deletes one physical row for each tuple of a table without a key. Rows are the same when their text is: that is all
 * a change event says of them, and types without equality (json, point, xml) have it too. The n-th of some equal tuples
 * takes the n-th of the equal rows.
 */
export function removeRows(target: Target, rows: readonly Tuple[]): Statement | null {
  if (target.written.length === 0) return null;
  const source = rowSource(target, target.written, rows);
  if (!source) return null;
  const wanted = `ROW(${target.written.map(source.column).join(', ')})::text`;
  const present = `ROW(${target.written.map((index) => `i.${name(target, index)}`).join(', ')})::text`;
  const nth = (image: string) => `row_number() OVER (PARTITION BY ${image}) AS nth`;
  const gone = `SELECT ${wanted} AS image, ${nth(wanted)} FROM ${source.text}`;
  const found = `SELECT i.tableoid, i.ctid, ${present} AS image, ${nth(present)} FROM ${only(target.table)} AS i
    WHERE ${present} IN (SELECT image FROM gone)`;
  return {
    text: `WITH gone AS (${gone}), found AS (${found})
      DELETE FROM ${only(target.table)} AS t USING gone JOIN found USING (image, nth)
      WHERE t.tableoid = found.tableoid AND t.ctid = found.ctid`,
    values: source.values,
  };
}

export function truncateTables(tables: readonly DestinationTable[], restartIdentity: boolean): Statement {
  const text = `TRUNCATE TABLE ${tables.map(only).join(', ')}${restartIdentity ? ' RESTART IDENTITY' : ''}`;
  return { text, values: [] };
}

interface RowSource {
  /** To stand after FROM. */
  readonly text: string;
  readonly column: (index: number) => string;
  readonly values: string[];
}

/**
 * The rows as a table expression `r` that gives the columns `indexes`; null when no set-based form can carry them:
 * a row literal leaves the other columns NULL, which a domain among them may refuse.
 */
function rowSource(target: Target, indexes: readonly number[], rows: readonly Tuple[]): RowSource | null {
  const columns = indexes.map((index) => target.columns[index]!);
  if (columns.every(({ element }) => element !== null)) {
    const names = indexes.map((index) => `c${index}`).join(', ');
    const parameters = columns.map(({ element }, i) => `$${i + 1}::${element}[]`).join(', ');
    return {
      text: `unnest(${parameters}) AS r(${names})`,
      column: (index) => `r.c${index}`,
      values: indexes.map((index, i) => columnArray(rows, index, columns[i]!)),
    };
  }
  const given = new Set(indexes);
  const fields = target.fields.map((index) => (given.has(index) ? index : -1));
  if (target.table.columns.some(({ domain }, i) => domain && fields[i] === -1)) return null;
  return {
    text: `unnest($1::${quoteTable(target.table)}[]) AS r`,
    column: (index) => `r.${name(target, index)}`,
    values: [rowArray(rows, fields)],
  };
}

export function insertInto(target: Target): string {
  const columns = target.written.map((index) => name(target, index)).join(', ');
  return `INSERT INTO ${quoteTable(target.table)} (${columns}) OVERRIDING SYSTEM VALUE`;
}

export function onConflict(target: Target): string {
  if (!target.arbiter) return '';
  const rest = target.written.filter((index) => !target.key.includes(index)).map((index) => name(target, index));
  const action =
    rest.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${rest.map((column) => `${column} = EXCLUDED.${column}`).join(', ')}`;
  return ` ON CONFLICT (${target.key.map((index) => name(target, index)).join(', ')}) ${action}`;
}

function keyEquals(target: Target, column: (index: number) => string): string {
  return target.key.map((index, i) => `t.${name(target, index)} ${target.equals[i]} ${column(index)}`).join(' AND ');
}

export function name(target: Target, index: number): string {
  return quoteIdentifier(target.columns[index]!.name);
}

export function only(table: DestinationTable): string {
  return table.partitioned ? quoteTable(table) : `ONLY ${quoteTable(table)}`;
}
