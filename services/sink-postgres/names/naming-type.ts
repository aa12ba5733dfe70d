import { arrayElements, rowFields } from './literals.ts';

/**
 * A type whose values name objects (regclass and its like), or that holds such values. Written as text, they name the
 * object, which is the same object at the destination. But an object that is gone is written as its number, and that
 * number is another object, or none, at the destination.
 */
export type NamingType =
  | { readonly kind: 'name' }
  | { readonly kind: 'array'; readonly of: NamingType; readonly delimiter: string }
  /** null: a field that names nothing. */
  | { readonly kind: 'row'; readonly fields: readonly (NamingType | null)[] };

const NUMBER = /^[1-9]\d*$/;
/** Their names hold the number of the table they belong to, or of a session. */
const NUMBERED_SCHEMA = /^pg_(?:toast|temp|toast_temp)(?:_\d+)?\./;

/** The first value in the text that would mean another object at the destination. */
export function misnamed(type: NamingType, text: string): string | null {
  switch (type.kind) {
    case 'name':
      return NUMBER.test(text) || NUMBERED_SCHEMA.test(text) ? text : null;
    case 'array':
      return first(arrayElements(text, type.delimiter), () => type.of);
    case 'row':
      return first(rowFields(text), (index) => type.fields[index] ?? null);
  }
}

function first(texts: readonly (string | null)[], typeOf: (index: number) => NamingType | null): string | null {
  for (const [index, text] of texts.entries()) {
    const type = typeOf(index);
    const found = type && text !== null ? misnamed(type, text) : null;
    if (found !== null) return found;
  }
  return null;
}
