/**
 * Avro names ([A-Za-z_][A-Za-z0-9_]*) for PostgreSQL names, injective, and as they are wherever that is possible:
 * every byte outside [A-Za-z0-9_], and a leading digit, becomes `_x` and two hexadecimal digits;
 * so does a `_` that would otherwise look like the start of such an escape.
 * @see https://avro.apache.org/docs/1.12.0/specification/#names
 */

const ESCAPE = /_x[0-9a-f]{2}/g;
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function avroName(name: string): string {
  const guarded = name.replace(ESCAPE, (looksLikeEscape) => `${hexEscape(UNDERSCORE)}${looksLikeEscape.slice(1)}`);
  if (PLAIN.test(guarded)) return guarded;
  let escaped = '';
  for (const byte of Buffer.from(guarded)) {
    const character = String.fromCharCode(byte);
    const plain = byte < 0x80 && (escaped === '' ? /[A-Za-z_]/ : /[A-Za-z0-9_]/).test(character);
    escaped += plain ? character : hexEscape(byte);
  }
  return escaped;
}

/** The PostgreSQL name. */
export function nameOfAvro(avro: string): string {
  const bytes: Buffer[] = [];
  let at = 0;
  for (const match of avro.matchAll(ESCAPE)) {
    bytes.push(Buffer.from(avro.slice(at, match.index)), Buffer.from(match[0].slice(2), 'hex'));
    at = match.index + match[0].length;
  }
  bytes.push(Buffer.from(avro.slice(at)));
  return Buffer.concat(bytes).toString();
}

const UNDERSCORE = 0x5f;

function hexEscape(byte: number): string {
  return `_x${byte.toString(16).padStart(2, '0')}`;
}
