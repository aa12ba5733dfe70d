import { quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface CollationRow {
  oid: string;
  schema: string;
  name: string;
  provider: 'c' | 'i' | 'b' | 'd';
  collate: string | null;
  ctype: string | null;
  locale: string | null;
  rules: string | null;
  deterministic: string;
}

/** Where an ICU collation's locale stands: with the others before 15, then in columns of its own. */
function localeColumn(version: number): string {
  if (version >= 170_000) return 'c.colllocale';
  return version >= 150_000 ? 'c.colliculocale' : `CASE c.collprovider WHEN 'i' THEN c.collcollate END`;
}

export const readCollations: KindReader = async ({ client, version }) => {
  const { rows } = await client.query<CollationRow>(
    `SELECT c.oid, n.nspname AS schema, c.collname AS name, c.collprovider AS provider,
      c.collcollate AS "collate", c.collctype AS ctype, ${localeColumn(version)} AS locale,
      ${version >= 160_000 ? 'c.collicurules' : 'NULL'} AS rules,
      ${version >= 120_000 ? 'c.collisdeterministic' : 'true'} AS deterministic
    FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE ${inUserSchema('pg_collation', 'c.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => ({
    key: `pg_collation:${row.oid}`,
    section: 'pre-data',
    kind: 'collation',
    schema: row.schema,
    name: row.name,
    table: null,
    sql: `CREATE COLLATION ${quoteTable(row)} (${collationOptions(row).join(', ')})`,
    target: `COLLATION ${quoteTable(row)}`,
  }));
};

const providers = { c: 'libc', i: 'icu', b: 'builtin', d: 'default' } as const;

function collationOptions(row: CollationRow): string[] {
  const options = [`PROVIDER = ${providers[row.provider]}`];
  if (row.locale !== null) options.push(`LOCALE = ${quoteLiteral(row.locale)}`);
  else {
    options.push(`LC_COLLATE = ${quoteLiteral(row.collate ?? '')}`, `LC_CTYPE = ${quoteLiteral(row.ctype ?? '')}`);
  }
  if (row.rules !== null) options.push(`RULES = ${quoteLiteral(row.rules)}`);
  if (row.deterministic === 'f') options.push('DETERMINISTIC = false');
  return options;
}
