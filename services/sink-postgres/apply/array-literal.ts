import type { ColumnValue, Tuple } from '../../../shared/envelope/change-event.ts';
import { known, type Row } from './row.ts';
import { type ColumnText, writeRow } from './row-text.ts';
import { escapesOf, type TextForm, TextWriter } from './text-writer.ts';

/**
 * PostgreSQL's input syntax of arrays and of rows, by which many values cross as one parameter:
 * each element then goes through the input function of its type, as in COPY.
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 * @see https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX
 */

const SPECIAL = /["\\]/;
const SPECIALS = /["\\]/g;

const escapes = escapesOf({ '"': '"', '\\': '\\' });
const quotedForm: TextForm = { quote: 0x22, escapes };
const plainForm: TextForm = { quote: 0, escapes };

/** How the elements of an array are written; `plain`: no text of the type ever needs quotes. */
export interface ElementForm {
  readonly plain: boolean;
  readonly delimiter: string;
}

class ArrayText implements ColumnText {
  readonly writer = new TextWriter();
  readonly form: TextForm;
  readonly #delimiter: number;
  #empty = true;

  constructor({ plain, delimiter }: ElementForm) {
    this.form = plain ? plainForm : quotedForm;
    this.#delimiter = delimiter.charCodeAt(0);
    this.writer.byte(0x7b);
  }

  begin(): void {
    if (!this.#empty) this.writer.byte(this.#delimiter);
    this.#empty = false;
  }

  null(): void {
    this.writer.ascii('NULL');
  }

  finish(): Buffer {
    this.writer.byte(0x7d);
    return this.writer.finish();
  }
}

/** For each of the columns `indexes` one array of its values in the rows. */
export function columnArrays(
  rows: readonly Row[],
  indexes: readonly number[],
  formOf: (index: number) => ElementForm,
): Buffer[] {
  const arrays = indexes.map((index) => new ArrayText(formOf(index)));
  const texts: (ColumnText | undefined)[] = new Array(Math.max(...indexes) + 1).fill(undefined);
  for (const [place, index] of indexes.entries()) texts[index] = arrays[place];
  for (const row of rows) writeRow(row, texts);
  return arrays.map((array) => array.finish());
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
    const value: ColumnValue = index < 0 ? null : known(row[index]);
    if (value !== null) text += quoted(value);
  }
  return `${text})`;
}

function quoted(value: string): string {
  return SPECIAL.test(value) ? `"${value.replace(SPECIALS, '\\$&')}"` : `"${value}"`;
}
