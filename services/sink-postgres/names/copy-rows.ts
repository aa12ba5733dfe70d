import type { NamingColumns } from './naming-columns.ts';
import { checkNamed } from './naming-columns.ts';

export interface NamedRows {
  readonly columns: readonly string[];
  readonly naming: NamingColumns;
  /** Table and chunk, for the message. */
  readonly place: string;
}

/** Rows of COPY text. @throws SluiceError DESTINATION_OBJECT_MISNAMED */
export function checkNamedRows(rows: Buffer, { columns, naming, place }: NamedRows): void {
  const named = columns.flatMap((column, index) => {
    const type = naming.get(column);
    return type ? [{ column, type, index }] : [];
  });
  if (named.length === 0) return;
  for (const [number, row] of rows.toString().split('\n').entries()) {
    const fields = row.split('\t');
    for (const { column, type, index } of named) {
      const field = fields[index];
      if (field === undefined || field === '\\N') continue;
      checkNamed({ column, type, text: unescaped(field), place: () => `${place}, row ${number + 1}` });
    }
  }
}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function unescaped(field: string): string {
  return field.replace(/\\(.)/g, (_, character: string) => escapes[character] ?? character);
}
