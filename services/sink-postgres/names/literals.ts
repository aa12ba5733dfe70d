/**
 * Takes apart what PostgreSQL writes for arrays and rows.
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 * @see https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX
 */

/** Elements of all dimensions, in order; null for NULL. */
export function arrayElements(text: string, delimiter: string): (string | null)[] {
  const elements: (string | null)[] = [];
  // Bounds other than 1 stand before it: [2:3]={...}
  let at = text.indexOf('{');
  while (at >= 0 && at < text.length) {
    const character = text[at]!;
    if (character === '{' || character === '}' || character === delimiter) {
      at += 1;
      continue;
    }
    const { value, quoted, end } = token(text, at, [delimiter, '}']);
    elements.push(!quoted && value === 'NULL' ? null : value);
    at = end;
  }
  return elements;
}

/** Fields of a row, in order; null where nothing stands. */
export function rowFields(text: string): (string | null)[] {
  const fields: (string | null)[] = [];
  for (let at = 1; at < text.length; at += 1) {
    const { value, quoted, end } = token(text, at, [',', ')']);
    fields.push(value === '' && !quoted ? null : value);
    at = end;
  }
  return fields;
}

interface Token {
  readonly value: string;
  readonly quoted: boolean;
  /** Where the character stands that ended it. */
  readonly end: number;
}

/** Inside quotes a quote is written twice or after a backslash. */
function token(text: string, start: number, ends: readonly string[]): Token {
  let value = '';
  let quoted = false;
  let inside = false;
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (character === '\\') value += text[++at] ?? '';
    else if (inside && character === '"' && text[at + 1] === '"') value += text[++at];
    else if (character === '"') {
      inside = !inside;
      quoted = true;
    } else if (!inside && ends.includes(character)) break;
    else value += character;
  }
  return { value, quoted, end: at };
}
