import type { Row } from './row.ts';
import { type ColumnText, writeRow } from './row-text.ts';
import { escapesOf, type TextForm, TextWriter } from './text-writer.ts';

const form: TextForm = { quote: 0, escapes: escapesOf({ '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't' }) };
const TAB = 0x09;
const NEWLINE = 0x0a;

/** COPY's text format of the columns `indexes`, which rise, of each row. @see https://www.postgresql.org/docs/current/sql-copy.html */
export function copyText(rows: readonly Row[], indexes: readonly number[]): Buffer {
  const writer = new TextWriter();
  const column = (begin: () => void): ColumnText => ({ writer, form, begin, null: () => writer.ascii('\\N') });
  const first = column(() => undefined);
  const further = column(() => writer.byte(TAB));
  const texts: (ColumnText | undefined)[] = new Array((indexes.at(-1) ?? -1) + 1).fill(undefined);
  for (const [place, index] of indexes.entries()) texts[index] = place === 0 ? first : further;
  for (const row of rows) {
    writeRow(row, texts);
    writer.byte(NEWLINE);
  }
  return writer.finish();
}
