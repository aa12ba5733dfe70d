import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { Catalog, DescribedObject, KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface Row {
  oid: string;
  schema: string;
  name: string;
  /** Options of its CREATE statement, name and value as SQL, as JSON. */
  options: string;
  mappings?: string;
}

interface Kind {
  readonly catalog: string;
  readonly prefix: string;
  readonly kind: string;
  readonly options: Readonly<Record<string, string>>;
  readonly mappings?: string;
}

const routine = (column: string) => `nullif(o.${column}::oid, 0)::regproc::text`;
const named = (catalog: string, prefix: string, column: string) => `
  (SELECT format('%I.%I', xn.nspname, x.${prefix}name) FROM ${catalog} x
    JOIN pg_namespace xn ON xn.oid = x.${prefix}namespace WHERE x.oid = o.${column})`;

/** Dictionaries of each kind of token, in order. */
const mappings = `coalesce((
  SELECT json_agg(json_build_object('token', m.alias, 'dictionaries', m.dictionaries) ORDER BY m.token)
  FROM (SELECT t.alias, c.maptokentype AS token,
      string_agg(format('%I.%I', dn.nspname, d.dictname), ', ' ORDER BY c.mapseqno) AS dictionaries
    FROM pg_ts_config_map c JOIN pg_ts_dict d ON d.oid = c.mapdict JOIN pg_namespace dn ON dn.oid = d.dictnamespace,
      LATERAL ts_token_type(o.cfgparser) t
    WHERE c.mapcfg = o.oid AND t.tokid = c.maptokentype GROUP BY 1, 2) m), '[]')`;

const kinds: readonly Kind[] = [
  {
    catalog: 'pg_ts_parser',
    prefix: 'prs',
    kind: 'parser',
    options: {
      START: routine('prsstart'),
      GETTOKEN: routine('prstoken'),
      END: routine('prsend'),
      HEADLINE: routine('prsheadline'),
      LEXTYPES: routine('prslextype'),
    },
  },
  {
    catalog: 'pg_ts_template',
    prefix: 'tmpl',
    kind: 'template',
    options: { INIT: routine('tmplinit'), LEXIZE: routine('tmpllexize') },
  },
  {
    catalog: 'pg_ts_dict',
    prefix: 'dict',
    kind: 'dictionary',
    options: { TEMPLATE: named('pg_ts_template', 'tmpl', 'dicttemplate') },
  },
  {
    catalog: 'pg_ts_config',
    prefix: 'cfg',
    kind: 'configuration',
    options: { PARSER: named('pg_ts_parser', 'prs', 'cfgparser') },
    mappings,
  },
];

/** Text search parsers, templates, dictionaries and configurations. */
export const readTextSearch: KindReader = async (catalog) => {
  const objects: DescribedObject[] = [];
  for (const kind of kinds) objects.push(...(await readKind(catalog, kind)));
  return objects;
};

async function readKind({ client }: Catalog, kind: Kind): Promise<DescribedObject[]> {
  const options = Object.entries(kind.options).map(([name, value]) => `'${name} = ' || ${value}`);
  // The options of a dictionary stand in its catalog as they are written in CREATE.
  if (kind.kind === 'dictionary') options.push('o.dictinitoption');
  const { rows } = await client.query<Row>(
    `SELECT o.oid, n.nspname AS schema, o.${kind.prefix}name AS name, json_build_array(${options.join(', ')}) AS options,
      ${kind.mappings ?? "'[]'"} AS mappings
    FROM ${kind.catalog} o JOIN pg_namespace n ON n.oid = o.${kind.prefix}namespace
    WHERE ${inUserSchema(kind.catalog, 'o.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => describe(row, kind));
}

function describe(row: Row, { catalog, kind }: Kind): DescribedObject {
  const target = `TEXT SEARCH ${kind.toUpperCase()} ${quoteTable(row)}`;
  const options = (JSON.parse(row.options) as (string | null)[]).filter((option) => option !== null);
  const mapped = (JSON.parse(row.mappings ?? '[]') as { token: string; dictionaries: string }[]).map(
    ({ token, dictionaries }) => `ALTER ${target} ADD MAPPING FOR ${quoteIdentifier(token)} WITH ${dictionaries}`,
  );
  return {
    key: `${catalog}:${row.oid}`,
    section: 'pre-data',
    kind: `text search ${kind}`,
    schema: row.schema,
    name: row.name,
    table: null,
    sql: [`CREATE ${target} (${options.join(', ')})`, ...mapped].join('; '),
    target,
  };
}
