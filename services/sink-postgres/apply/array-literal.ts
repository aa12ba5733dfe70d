import type { ColumnValue, Tuple } from '../../../shared/envelope/change-event.ts';

/**
 * PostgreSQL's input syntax of arrays and of rows, by which many values cross as one parameter:
 * each element then goes through the input function of its type, as in COPY.
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 * @see https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX
 */

const SPECIAL = /["\\]/;
const SPECIALS = /["\\]/g;

/** How the elements of an array are written; `plain`: no text of the type ever needs quotes. */
export interface ElementForm {
  readonly plain: boolean;
  readonly delimiter: string;
}

/** One array of the values that stand at `index` of each row. */
export function columnArray(rows: readonly Tuple[], index: number, { plain, delimiter }: ElementForm): string {
  let text = '{';
  for (let i = 0; i < rows.length; i++) {
    if (i > 0) text += delimiter;
    const value = known((rows[i] as Tuple)[index]);
    if (value === null) text += 'NULL';
    else text += plain ? value : quoted(value);
  }
  return `${text}}`;
}

/** One array of rows; `fields` names for each column of the row type the index in the tuple, or -1 for NULL. */
export function rowArray(rows: readonly Tuple[], fields: readonly number[]): string {
  return `{${rows.map((row) => quoted(rowText(row, fields))).join(',')}}`;
}

function rowText(row: Tuple, fields: readonly number[]): string {
  let text = '(';
  for (let i = 0; i < fields.length; i++) {
    if (i > 0) text += ',';
    const index = fields[i] as number;
    const value = index < 0 ? null : known(row[index]);
    if (value !== null) text += quoted(value);
  }
  return `${text})`;
}

function quoted(value: string): string {
  return SPECIAL.test(value) ? `"${value.replace(SPECIALS, '\\$&')}"` : `"${value}"`;
}

/** A value that nobody knows must not come so far: it would be written as if it were NULL. */
function known(value: ColumnValue | undefined): string | null {
  if (typeof value === 'string' || value === null) return value;
  throw new TypeError('an unknown value was about to be written');
}
