import { quoteIdentifier, quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { CatalogEntries } from './catalog-entries.ts';
import type { Catalog, DescribedObject } from './described-object.ts';
import { FIRST_USER_OID } from './user-objects.ts';

/** An entry of a catalog that has no object of its own here, and its name as COMMENT ON has it. */
interface EntryRow {
  key: string;
  column: string | null;
  number: string;
  target: string | null;
  /** Of a security label; a comment has none. */
  provider: string | null;
  text: string;
}

/**
 * What stands with an object is named here: columns, constraints that tables and domains are made with, indexes of
 * constraints, sequences of identity columns. The comment on `public` that every database has is none.
 */
const commentsSql = `
  SELECT d.classoid::regclass || ':' || d.objoid AS key, a.attname AS column, d.objsubid AS number, d.provider, d.text,
    CASE WHEN c.oid IS NOT NULL THEN json_build_array(CASE WHEN d.objsubid > 0 THEN 'COLUMN' WHEN c.relkind = 'S'
        THEN 'SEQUENCE' WHEN c.relkind IN ('i', 'I') THEN 'INDEX' END, n.nspname, c.relname, NULL)
      WHEN k.oid IS NOT NULL THEN json_build_array('CONSTRAINT', kn.nspname, coalesce(kc.relname, kt.typname),
        k.conname, k.contypid <> 0) END AS target
  FROM (SELECT classoid, objoid, objsubid, NULL AS provider, description AS text FROM pg_description
    UNION ALL SELECT classoid, objoid, objsubid, provider, label FROM pg_seclabel) d
  LEFT JOIN pg_class c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
  LEFT JOIN pg_constraint k ON d.classoid = 'pg_constraint'::regclass AND k.oid = d.objoid
  LEFT JOIN pg_namespace kn ON kn.oid = k.connamespace
  LEFT JOIN pg_class kc ON kc.oid = k.conrelid LEFT JOIN pg_type kt ON kt.oid = k.contypid
  WHERE d.objoid >= ${FIRST_USER_OID} OR d.classoid = 'pg_namespace'::regclass AND d.objoid = to_regnamespace('public')
    AND d.text <> 'standard public schema'
  ORDER BY 1, d.objsubid, d.provider NULLS FIRST`;

/** Comments and security labels on objects that are read, each in the section of its object. */
export async function readComments(
  { client }: Catalog,
  objects: readonly DescribedObject[],
  { owner }: CatalogEntries,
): Promise<DescribedObject[]> {
  const byKey = new Map(objects.map((object) => [object.key, object]));
  const { rows } = await client.query<EntryRow>(commentsSql);
  return rows.flatMap((row) => {
    const object = byKey.get(row.key) ?? byKey.get(owner.get(row.key) ?? '');
    const target = byKey.has(row.key) && row.column === null ? object?.target : entryTarget(row);
    return object === undefined || target === undefined ? [] : [describe(row, object, target)];
  });
}

function entryTarget({ target, column }: EntryRow): string | undefined {
  if (target === null) return undefined;
  const [word, schema, name, constraint, ofDomain] = JSON.parse(target) as [
    string | null,
    string,
    string,
    string,
    boolean,
  ];
  const table = quoteTable({ schema, name });
  if (word === 'CONSTRAINT') return `CONSTRAINT ${quoteIdentifier(constraint)} ON ${ofDomain ? 'DOMAIN ' : ''}${table}`;
  if (word === null) return undefined;
  return column === null ? `${word} ${table}` : `${word} ${table}.${quoteIdentifier(column)}`;
}

function describe(row: EntryRow, object: DescribedObject, target: string): DescribedObject {
  const { section, schema, name, table } = object;
  const { key, column, provider, text } = row;
  const label = provider === null ? 'comment' : 'security label';
  const command = provider === null ? 'COMMENT' : `SECURITY LABEL FOR ${quoteIdentifier(provider)}`;
  return {
    key: `${key}/${label} ${provider ?? ''} ${column ?? ''}`,
    section,
    kind: label,
    schema,
    name: column ?? name,
    table,
    sql: `${command} ON ${target} IS ${quoteLiteral(text)}`,
    of: object.key,
    needs: column === null ? [key] : [key, `${key}#${row.number}`],
  };
}
