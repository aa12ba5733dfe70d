import { AvroReader } from '../../../shared/envelope/avro-binary.ts';
import { type ColumnKind, readValue } from '../../../shared/envelope/column-value.ts';
import { PackedRow } from '../../../shared/envelope/packed-row.ts';
import { known, type Row } from './row.ts';
import type { TextForm, TextWriter } from './text-writer.ts';

/** Where the values of one column go. */
export interface ColumnText {
  readonly writer: TextWriter;
  readonly form: TextForm;
  /** Called before each value. */
  begin(): void;
  null(): void;
}

const reader = new AvroReader();

/** Writes the columns of a row that have a text to go to, in their order: PostgreSQL's text of each value. */
export function writeRow(row: Row, texts: readonly (ColumnText | undefined)[]): void {
  if (row instanceof PackedRow) writePacked(row, texts);
  else writeTuple(row, texts);
}

function writeTuple(row: readonly unknown[], texts: readonly (ColumnText | undefined)[]): void {
  for (let index = 0; index < texts.length; index++) {
    const text = texts[index];
    if (!text) continue;
    const value = known(row[index] as string);
    text.begin();
    if (value === null) text.null();
    else text.writer.string(value, text.form);
  }
}

function writePacked({ bytes, at, layout, unknown }: PackedRow, texts: readonly (ColumnText | undefined)[]): void {
  reader.start(bytes, at);
  for (let index = 0; index < texts.length; index++) {
    const text = texts[index];
    const kind = layout.kinds[index] as ColumnKind;
    const isNull = reader.byte() === 0;
    if (!text) {
      if (!isNull) skipValue(kind);
      continue;
    }
    if (unknown?.[index] === 1) throw new TypeError('an unknown value was about to be written');
    text.begin();
    if (isNull) text.null();
    else writeValue(bytes, kind, text);
  }
}

function writeValue(bytes: Buffer, kind: ColumnKind, { writer, form }: ColumnText): void {
  switch (kind) {
    case 'int':
      writer.integer(reader.integer());
      return;
    case 'string':
    case 'bytes': {
      const start = reader.sized();
      if (kind === 'string') writer.text(bytes, start, reader.at, form);
      else writer.hex(bytes, start, reader.at, form);
      return;
    }
    default:
      writer.ascii(readValue(reader, kind));
  }
}

function skipValue(kind: ColumnKind): void {
  switch (kind) {
    case 'int':
    case 'long':
      reader.skipVarint();
      return;
    case 'double':
      reader.double();
      return;
    case 'boolean':
      reader.byte();
      return;
    default:
      reader.sized();
  }
}
