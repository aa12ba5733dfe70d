import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface ClassRow {
  oid: string;
  schema: string;
  name: string;
  method: string;
  family: string;
  type: string;
  storage: string | null;
  is_default: string;
  members: string;
}

interface FamilyRow {
  oid: string;
  schema: string;
  name: string;
  method: string;
  members: string;
}

interface Member {
  key: string;
  sql: string;
}

/** Operators and functions of a class, or loose ones of a family, as pg_depend binds them to `owner`. */
const membersSql = (catalog: string, owner: string) => `coalesce((
  SELECT json_agg(json_build_object('key', m.key, 'sql', m.sql) ORDER BY m.place, m.number, m.sql)
  FROM (
    SELECT 'pg_amop:' || o.oid AS key, 1 AS place, o.amopstrategy AS number,
      format('OPERATOR %s %s', o.amopstrategy, o.amopopr::regoperator)
        || CASE WHEN s.oid IS NULL THEN '' ELSE format(' FOR ORDER BY %I.%I', sn.nspname, s.opfname) END AS sql
    FROM pg_depend d JOIN pg_amop o ON o.oid = d.objid
    LEFT JOIN pg_opfamily s ON s.oid = o.amopsortfamily LEFT JOIN pg_namespace sn ON sn.oid = s.opfnamespace
    WHERE d.classid = 'pg_amop'::regclass AND d.refclassid = '${catalog}'::regclass AND d.refobjid = ${owner}
    UNION ALL
    SELECT 'pg_amproc:' || w.oid, 2, w.amprocnum, format('FUNCTION %s (%s, %s) %s', w.amprocnum,
      format_type(w.amproclefttype, NULL), format_type(w.amprocrighttype, NULL), w.amproc::regprocedure)
    FROM pg_depend d JOIN pg_amproc w ON w.oid = d.objid
    WHERE d.classid = 'pg_amproc'::regclass AND d.refclassid = '${catalog}'::regclass AND d.refobjid = ${owner}) m), '[]')`;

export const readOperatorFamilies: KindReader = async ({ client }) => {
  const { rows } = await client.query<FamilyRow>(
    `SELECT f.oid, n.nspname AS schema, f.opfname AS name, m.amname AS method, ${membersSql('pg_opfamily', 'f.oid')} AS members
    FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace JOIN pg_am m ON m.oid = f.opfmethod
    WHERE ${inUserSchema('pg_opfamily', 'f.oid')}
    ORDER BY 2, 3, 4`,
  );
  return rows.flatMap((row) => {
    const key = `pg_opfamily:${row.oid}`;
    const target = `OPERATOR FAMILY ${quoteTable(row)} USING ${quoteIdentifier(row.method)}`;
    const members = JSON.parse(row.members) as Member[];
    const { schema, name } = row;
    const family = { key, section: 'pre-data', kind: 'operator family', schema, name, table: null, target } as const;
    const described: DescribedObject[] = [{ ...family, sql: `CREATE ${target}` }];
    if (members.length > 0) described.push({ ...looseMembers(family, target, members) });
    return described;
  });
};

/** What belongs to no class of the family is added when it is there. */
function looseMembers(
  family: Pick<DescribedObject, 'key' | 'section' | 'schema' | 'name' | 'table'>,
  target: string,
  members: readonly Member[],
): DescribedObject {
  return {
    ...family,
    key: `${family.key}/members`,
    kind: 'operator family members',
    sql: `ALTER ${target} ADD ${members.map(({ sql }) => sql).join(', ')}`,
    of: family.key,
    covers: members.map(({ key }) => key),
  };
}

export const readOperatorClasses: KindReader = async ({ client }) => {
  const { rows } = await client.query<ClassRow>(
    `SELECT c.oid, n.nspname AS schema, c.opcname AS name, m.amname AS method,
      format('%I.%I', fn.nspname, f.opfname) AS family, format_type(c.opcintype, NULL) AS type,
      CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END AS storage, c.opcdefault AS is_default,
      ${membersSql('pg_opclass', 'c.oid')} AS members
    FROM pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace JOIN pg_am m ON m.oid = c.opcmethod
    JOIN pg_opfamily f ON f.oid = c.opcfamily JOIN pg_namespace fn ON fn.oid = f.opfnamespace
    WHERE ${inUserSchema('pg_opclass', 'c.oid')}
    ORDER BY 2, 3, 4`,
  );
  return rows.map((row): DescribedObject => {
    const using = `USING ${quoteIdentifier(row.method)}`;
    const members = JSON.parse(row.members) as Member[];
    // A class without members needs some item: its own type as storage says nothing.
    const items = [...(row.storage === null ? [] : [`STORAGE ${row.storage}`]), ...members.map(({ sql }) => sql)];
    const isDefault = row.is_default === 't' ? 'DEFAULT ' : '';
    const body = items.length > 0 ? items.join(', ') : `STORAGE ${row.type}`;
    return {
      key: `pg_opclass:${row.oid}`,
      section: 'pre-data',
      kind: 'operator class',
      schema: row.schema,
      name: row.name,
      table: null,
      sql: `CREATE OPERATOR CLASS ${quoteTable(row)} ${isDefault}FOR TYPE ${row.type} ${using} FAMILY ${row.family} AS ${body}`,
      target: `OPERATOR CLASS ${quoteTable(row)} ${using}`,
      covers: members.map(({ key }) => key),
    };
  });
};
