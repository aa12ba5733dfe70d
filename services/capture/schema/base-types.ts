import { quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface BaseTypeRow {
  oid: string;
  schema: string;
  name: string;
  defined: string;
  length: string;
  by_value: string;
  alignment: 'c' | 's' | 'i' | 'd';
  storage: 'p' | 'e' | 'm' | 'x';
  category: string;
  preferred: string;
  delimiter: string;
  element: string | null;
  collatable: string;
  default_value: string | null;
  input: string | null;
  output: string | null;
  receive: string | null;
  send: string | null;
  modifier_in: string | null;
  modifier_out: string | null;
  analyze: string | null;
  subscript: string | null;
}

const routine = (column: string) => `nullif(t.${column}::oid, 0)::regproc::text`;

/** Base types, whose functions need a shell of them, and shells that were never filled. */
export const readBaseTypes: KindReader = async ({ client, version }) => {
  const subscript = version >= 140_000 ? routine('typsubscript') : 'NULL';
  const { rows } = await client.query<BaseTypeRow>(
    `SELECT t.oid, n.nspname AS schema, t.typname AS name, t.typisdefined AS defined, t.typlen AS length,
      t.typbyval AS by_value, t.typalign AS alignment, t.typstorage AS storage, t.typcategory AS category,
      t.typispreferred AS preferred, t.typdelim AS delimiter,
      CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS element, t.typcollation <> 0 AS collatable,
      t.typdefault AS default_value, ${routine('typinput')} AS input, ${routine('typoutput')} AS output,
      ${routine('typreceive')} AS receive, ${routine('typsend')} AS send, ${routine('typmodin')} AS modifier_in,
      ${routine('typmodout')} AS modifier_out, ${routine('typanalyze')} AS analyze, ${subscript} AS subscript
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE (t.typtype = 'b' OR t.typtype = 'p' AND NOT t.typisdefined)
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) AND ${inUserSchema('pg_type', 't.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => (row.defined === 't' ? baseType(row) : shell(row)));
};

function shell(row: BaseTypeRow): DescribedObject {
  const { oid, schema, name } = row;
  const sql = `CREATE TYPE ${quoteTable(row)}`;
  const target = `TYPE ${quoteTable(row)}`;
  return { key: `pg_type:${oid}`, section: 'pre-data', kind: 'shell type', schema, name, table: null, sql, target };
}

function baseType(row: BaseTypeRow): DescribedObject {
  const undefinedYet = shell(row);
  const { key, name, sql: shellSql } = undefinedYet;
  const sql = `CREATE TYPE ${quoteTable(row)} (${typeOptions(row).join(', ')})`;
  return {
    ...undefinedYet,
    kind: 'base type',
    sql,
    parts: [{ key: `${key}/definition`, kind: 'base type', name, sql, covers: [key] }],
    without: () => shellSql,
  };
}

const alignments = { c: 'char', s: 'int2', i: 'int4', d: 'double' } as const;
const storages = { p: 'plain', e: 'external', m: 'main', x: 'extended' } as const;

function typeOptions(row: BaseTypeRow): string[] {
  const given = (name: string, value: string | null) => (value === null ? [] : [`${name} = ${value}`]);
  const flag = (name: string, value: string) => (value === 't' ? [`${name} = true`] : []);
  return [
    `INTERNALLENGTH = ${row.length === '-1' ? 'variable' : row.length}`,
    ...given('INPUT', row.input),
    ...given('OUTPUT', row.output),
    ...given('RECEIVE', row.receive),
    ...given('SEND', row.send),
    ...given('TYPMOD_IN', row.modifier_in),
    ...given('TYPMOD_OUT', row.modifier_out),
    ...given('ANALYZE', row.analyze),
    ...given('SUBSCRIPT', row.subscript),
    ...flag('COLLATABLE', row.collatable),
    ...given('DEFAULT', row.default_value === null ? null : quoteLiteral(row.default_value)),
    ...given('ELEMENT', row.element),
    ...(row.category === 'U' ? [] : [`CATEGORY = ${quoteLiteral(row.category)}`]),
    ...flag('PREFERRED', row.preferred),
    ...(row.delimiter === ',' ? [] : [`DELIMITER = ${quoteLiteral(row.delimiter)}`]),
    `ALIGNMENT = ${alignments[row.alignment]}`,
    `STORAGE = ${storages[row.storage]}`,
    ...(row.by_value === 't' ? ['PASSEDBYVALUE'] : []),
  ];
}
