import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { misnamed, type NamingType } from './naming-type.ts';

/** Columns of a destination table that name objects, by name. */
export type NamingColumns = ReadonlyMap<string, NamingType>;

interface TypeRow {
  oid: string;
  name: string;
  base: string;
  element: string;
  delimiter: string;
  fields: string;
}

const typesSql = `
  SELECT t.oid, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END AS name,
    CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE 0 END AS base,
    CASE WHEN t.typlen = -1 THEN t.typelem ELSE 0 END AS element, e.typdelim AS delimiter,
    (SELECT coalesce(json_agg(a.atttypid::text ORDER BY a.attnum), '[]') FROM pg_attribute a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)::text AS fields
  FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid = ANY($1::oid[])`;

const columnsSql = `SELECT asked.key, a.attname AS name, a.atttypid AS type
  FROM unnest($1::regclass[], $2::text[]) AS asked(oid, key)
  JOIN pg_attribute a ON a.attrelid = asked.oid AND a.attnum > 0 AND NOT a.attisdropped`;

export async function readNamingColumns(client: pg.Client, table: TableName): Promise<NamingColumns> {
  return (await readNamingColumnsOf(client, [table])).get(tableKey(table)) ?? new Map();
}

/** By tableKey, of tables that are there; one that has none may be absent. */
export async function readNamingColumnsOf(
  client: pg.Client,
  tables: readonly TableName[],
): Promise<Map<string, NamingColumns>> {
  const names = tables.map(quoteTable);
  const columns = await client.query<{ key: string; name: string; type: string }>({
    name: 'sluice-columns',
    text: columnsSql,
    values: [names, tables.map(tableKey)],
  });
  const types = await readTypes(client, new Set(columns.rows.map(({ type }) => type)));
  const found = new Map<string, Map<string, NamingType>>();
  for (const { key, name, type } of columns.rows) {
    const naming = namingType(types, type);
    if (naming) found.set(key, (found.get(key) ?? new Map<string, NamingType>()).set(name, naming));
  }
  return found;
}

/** Types that the server itself came with, by session: they stay as they are. */
const ownTypes = new WeakMap<pg.Client, Map<string, TypeRow>>();
const FIRST_OTHER_OID = 16_384;

/** The types and all that they are made of. */
async function readTypes(client: pg.Client, oids: ReadonlySet<string>): Promise<Map<string, TypeRow>> {
  const own = ownTypes.get(client) ?? new Map<string, TypeRow>();
  ownTypes.set(client, own);
  const known = new Map(own);
  for (let asked = oids; ; ) {
    const unknown = [...asked].filter((oid) => !known.has(oid));
    if (unknown.length === 0) return known;
    const { rows } = await client.query<TypeRow>({ name: 'sluice-types', text: typesSql, values: [unknown] });
    for (const row of rows) {
      known.set(row.oid, row);
      if (Number(row.oid) < FIRST_OTHER_OID) own.set(row.oid, row);
    }
    asked = new Set(rows.flatMap(partsOf));
  }
}

function partsOf({ base, element, fields }: TypeRow): string[] {
  return [base, element, ...(JSON.parse(fields) as string[])].filter((oid) => oid !== '0');
}

const namingNames = new Set([
  ...['regclass', 'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc'],
  ...['regprocedure', 'regrole', 'regtype'],
]);

function namingType(types: ReadonlyMap<string, TypeRow>, oid: string): NamingType | null {
  const type = types.get(oid);
  if (!type) return null;
  if (namingNames.has(type.name)) return { kind: 'name' };
  if (type.base !== '0') return namingType(types, type.base);
  if (type.element !== '0') {
    const of = namingType(types, type.element);
    return of && { kind: 'array', of, delimiter: type.delimiter };
  }
  const fields = (JSON.parse(type.fields) as string[]).map((field) => namingType(types, field));
  return fields.some((field) => field !== null) ? { kind: 'row', fields } : null;
}

export interface NamedValue {
  readonly column: string;
  readonly type: NamingType;
  readonly text: string;
  /** Table and row, for the message. */
  readonly place: () => string;
}

/** @throws SluiceError DESTINATION_OBJECT_MISNAMED when the value would mean another object than at the source */
export function checkNamed({ column, type, text, place }: NamedValue): void {
  const found = misnamed(type, text);
  if (found === null) return;
  throw new SluiceError(
    'DESTINATION_OBJECT_MISNAMED',
    `${place()}: column ${column} names an object at the source by number only: ${found}`,
    { context: { column } },
  );
}
