import { type Change, type ColumnValue, type Tuple, UNKNOWN } from '../../../shared/envelope/change-event.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { insertInto, name, onConflict, only, type Statement } from './statements.ts';
import type { Target } from './target.ts';

/** A change of one row, moved marks and truncates apart. */
export type RowChange = Extract<Change, { op: 'c' | 'u' | 'd' }>;

/** Statements for one row, their parameters typed by the columns they meet. */

/** `keep`, `overwrite`: what becomes of a row of the same key, where the target has an arbiter. */
export function insertOne(target: Target, row: Tuple, meets: 'plain' | 'keep' | 'overwrite'): Statement {
  if (target.written.length === 0)
    return { text: `INSERT INTO ${quoteTable(target.table)} DEFAULT VALUES`, values: [] };
  const parameters: (string | null)[] = [];
  const values = target.written.map((index) => parameter(parameters, row[index])).join(', ');
  const conflict = meets === 'plain' ? '' : onConflict(target, meets === 'overwrite');
  return { text: `${insertInto(target)} VALUES (${values})${conflict}`, values: parameters };
}

/** Sets all columns of the row with the key of `row`. */
export function overwriteOne(target: Target, row: Tuple): Statement {
  return updateOne(target, row, row);
}

/** Sets what is known of `after`, in the row that `old` describes; finds it where nothing is to be set. */
export function updateOne(target: Target, old: Tuple, after: Tuple): Statement {
  // Of the key only what changed: an identity column GENERATED ALWAYS cannot be set, and has not changed.
  const isSet = (index: number) =>
    after[index] !== UNKNOWN && (!target.key.includes(index) || old[index] !== after[index]);
  const set = target.written.filter(isSet);
  if (set.length === 0) return findOne(target, old);
  const parameters: (string | null)[] = [];
  const assignments = set.map((index) => `${name(target, index)} = ${parameter(parameters, after[index])}`);
  const where = condition(target, old, parameters);
  return { text: `UPDATE ${only(target.table)} AS t SET ${assignments.join(', ')} WHERE ${where}`, values: parameters };
}

export function deleteOne(target: Target, old: Tuple): Statement {
  const parameters: (string | null)[] = [];
  const where = condition(target, old, parameters);
  return { text: `DELETE FROM ${only(target.table)} AS t WHERE ${where}`, values: parameters };
}

export function findOne(target: Target, row: Tuple): Statement {
  const parameters: (string | null)[] = [];
  const where = condition(target, row, parameters);
  return { text: `SELECT FROM ${only(target.table)} AS t WHERE ${where}`, values: parameters };
}

/** A row with the key of `row` that is not the one `old` describes: equal keys may be written in several ways. */
export function findOther(target: Target, row: Tuple, old: Tuple): Statement {
  const parameters: (string | null)[] = [];
  const where = `${condition(target, row, parameters)} AND (${condition(target, old, parameters)}) IS NOT TRUE`;
  return { text: `SELECT FROM ${only(target.table)} AS t WHERE ${where}`, values: parameters };
}

/** Which row: by the row key; without one by the image of the whole row, and then exactly one physical row. */
function condition(target: Target, old: Tuple, parameters: (string | null)[]): string {
  if (target.key.length === 0) return byImage(target, old, parameters);
  const known = target.key.filter((index) => old[index] !== UNKNOWN);
  // A replica identity index beside a primary key: the old tuple has the index's columns only.
  if (known.length < target.key.length) return byKnownColumns(target, old, parameters);
  return target.key
    .map((index, i) => `t.${name(target, index)} ${target.equals[i]} ${typed(target, index, old, parameters)}`)
    .join(' AND ');
}

function byKnownColumns(target: Target, old: Tuple, parameters: (string | null)[]): string {
  const known = target.written.filter((index) => old[index] !== UNKNOWN && old[index] !== null);
  if (known.length === 0) return 'false';
  return known
    .map((index) => `t.${name(target, index)} ${equalsOf(target, index)} ${typed(target, index, old, parameters)}`)
    .join(' AND ');
}

function byImage(target: Target, old: Tuple, parameters: (string | null)[]): string {
  const table = only(target.table);
  const known = target.written.filter((index) => old[index] !== UNKNOWN);
  if (known.length === 0) return `t.ctid = (SELECT ctid FROM ${table} LIMIT 1)`;
  const columns = known.map((index) => `i.${name(target, index)}`).join(', ');
  const values = known.map((index) => typed(target, index, old, parameters)).join(', ');
  // Without the casts it would be taken column by column, for which there is no such operator.
  const same = `ROW(${columns})::record OPERATOR(pg_catalog.*=) ROW(${values})::record`;
  return `t.ctid = (SELECT i.ctid FROM ${table} AS i WHERE ${same} LIMIT 1)`;
}

/** As the column's own index compares it. */
function equalsOf({ table, columns }: Target, index: number): string {
  const column = columns[index]!.name;
  const unique = table.uniqueKeys.find((key) => key.columns.includes(column));
  return unique?.equals[unique.columns.indexOf(column)] ?? 'OPERATOR(pg_catalog.=)';
}

/** Read by the input function of the column's type: an operator alone would take a composite's text for any record. */
function typed(target: Target, index: number, row: Tuple, parameters: (string | null)[]): string {
  return `${parameter(parameters, row[index])}::${target.columns[index]!.type}`;
}

function parameter(parameters: (string | null)[], value: ColumnValue | undefined): string {
  if (value === UNKNOWN || value === undefined) throw new TypeError('an unknown value was about to be written');
  parameters.push(value);
  return `$${parameters.length}`;
}
