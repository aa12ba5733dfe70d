import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import { creatorSettings } from '../../../shared/schema-objects/creator-settings.ts';
import { describeObject } from '../../../shared/schema-objects/stored-objects.ts';

const settings: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  search_path: '',
  row_security: 'off',
  xmloption: 'content',
  statement_timeout: '0',
  lock_timeout: '0',
  client_min_messages: 'warning',
  ...creatorSettings,
};

/** The objects as a script for psql, in creation order; what is not carried stands in it as a comment. */
export function schemaText(objects: readonly SchemaObject[]): string {
  const leftOut = objects.filter((object) => object.leftOut).length;
  const head = [
    `-- ${objects.length - leftOut} schema objects in the order of their creation; ${leftOut} are left out.`,
    '-- Written by sluice schema --dry-run; for psql -v ON_ERROR_STOP=1 -f.',
    '',
    settingsText(),
    '',
  ];
  return `${[...head, ...objects.map(objectText)].join('\n')}\n`;
}

/** Only those that the server has: a script for one version serves the others. */
function settingsText(): string {
  const values = Object.entries(settings).map(([name, value]) => `(${quoteLiteral(name)}, ${quoteLiteral(value)})`);
  return `DO $settings$ BEGIN
  PERFORM pg_catalog.set_config(s.name, s.value, false)
  FROM (VALUES ${values.join(', ')}) AS s(name, value) JOIN pg_catalog.pg_settings USING (name);
END $settings$;`;
}

function objectText(object: SchemaObject): string {
  const name = describeObject({ ...object, identity: object.identity ?? null });
  const title = `-- ${object.number} ${object.section}: ${name}${object.leftOut ? `, left out: ${object.leftOut}` : ''}`;
  const comment = title.replace(/[\r\n]+/g, ' ');
  if (object.leftOut) return `${comment}\n`;
  const sql = sharedIfExists(object).replace(/;\s*$/, '');
  return `${comment}\n${sql};\n`;
}

/** Schemas and extensions may be there already, as public is. */
function sharedIfExists({ kind, sql }: SchemaObject): string {
  if (kind !== 'schema' && kind !== 'extension') return sql;
  return sql.replace(/^CREATE (SCHEMA|EXTENSION) (?!IF NOT EXISTS)/, 'CREATE $1 IF NOT EXISTS ');
}
