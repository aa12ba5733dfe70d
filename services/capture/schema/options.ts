import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';

/** `name=value` as pg_class.reloptions and pg_attribute.attoptions hold it; names may have a prefix: `toast.`. */
function storageOption(text: string): string {
  const at = text.indexOf('=');
  const name = text.slice(0, at).split('.').map(quoteIdentifier).join('.');
  return `${name} = ${quoteLiteral(text.slice(at + 1))}`;
}

/** The list of an array of such options, as JSON. */
export function storageOptions(json: string): string {
  return (JSON.parse(json) as string[]).map(storageOption).join(', ');
}

/** ` WITH (...)`, or nothing where there are none. */
export function withClause(json: string | null): string {
  return json === null || json === '[]' ? '' : ` WITH (${storageOptions(json)})`;
}
