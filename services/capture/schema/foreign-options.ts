import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';

/** Options whose values are secrets, or may hold one. */
const secret = /pass|secret|token|credential|private|_key$|^key$/i;

/** Options of a wrapper, server, user mapping, foreign table or column, `name=value` as JSON. Secrets stay behind. */
export function foreignOptions(json: string | null): { clause: string; withheld: string[] } {
  const options = (JSON.parse(json ?? '[]') as string[]).map((text) => {
    const at = text.indexOf('=');
    return { name: text.slice(0, at), value: text.slice(at + 1) };
  });
  const given = options.filter(({ name }) => !secret.test(name));
  const list = given.map(({ name, value }) => `${quoteIdentifier(name)} ${quoteLiteral(value)}`).join(', ');
  return {
    clause: list === '' ? '' : ` OPTIONS (${list})`,
    withheld: options.filter(({ name }) => secret.test(name)).map(({ name }) => name),
  };
}
