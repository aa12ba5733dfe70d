import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { Catalog, DescribedObject } from './described-object.ts';
import { roleName } from './roles.ts';
import { FIRST_USER_OID } from './user-objects.ts';

interface GrantRow {
  key: string;
  /** Of a privilege on a column. */
  column: string | null;
  /** A default that was taken away. */
  revoked: string;
  privilege: string;
  /** null: PUBLIC. */
  grantee: string | null;
  grantor: string;
  owner: string;
  grantable: string;
}

interface Source {
  readonly catalog: string;
  readonly acl: string;
  readonly owner: string;
  /** As acldefault() has it. */
  readonly type: string;
}

const sources: readonly Source[] = [
  { catalog: 'pg_namespace', acl: 'nspacl', owner: 'nspowner', type: "'n'" },
  { catalog: 'pg_language', acl: 'lanacl', owner: 'lanowner', type: "'l'" },
  { catalog: 'pg_type', acl: 'typacl', owner: 'typowner', type: "'T'" },
  { catalog: 'pg_proc', acl: 'proacl', owner: 'proowner', type: "'f'" },
  { catalog: 'pg_foreign_data_wrapper', acl: 'fdwacl', owner: 'fdwowner', type: "'F'" },
  { catalog: 'pg_foreign_server', acl: 'srvacl', owner: 'srvowner', type: "'S'" },
  {
    catalog: 'pg_class',
    acl: 'relacl',
    owner: 'relowner',
    type: `CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END`,
  },
];

/** What differs from what an object of its kind has from the start: `public` has more than other schemas. */
function grantsSql(): string {
  const objects = sources.map(
    ({ catalog, acl, owner, type }) => `
      SELECT '${catalog}:' || o.oid AS key, NULL AS "column", o.${acl} AS acl, o.${owner} AS owner,
        coalesce(i.initprivs, acldefault(${type}, o.${owner})) AS usual
      FROM ${catalog} o LEFT JOIN pg_init_privs i
        ON i.classoid = '${catalog}'::regclass AND i.objoid = o.oid AND i.objsubid = 0
      WHERE o.${acl} IS NOT NULL AND (o.oid >= ${FIRST_USER_OID} OR '${catalog}' = 'pg_namespace')`,
  );
  return `
    WITH object AS (${objects.join(' UNION ALL ')}
      UNION ALL SELECT 'pg_class:' || c.oid, a.attname, a.attacl, c.relowner, NULL
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.oid >= ${FIRST_USER_OID}),
    difference AS (
      SELECT o.key, o."column", o.owner, false AS revoked, g.* FROM object o,
        LATERAL aclexplode(o.acl) WITH ORDINALITY AS g(grantor, grantee, privilege, grantable, place)
        WHERE NOT EXISTS (SELECT FROM aclexplode(o.usual) u
          WHERE (u.grantor, u.grantee, u.privilege_type, u.is_grantable) = (g.grantor, g.grantee, g.privilege, g.grantable))
      UNION ALL
      SELECT o.key, o."column", o.owner, true, g.* FROM object o,
        LATERAL aclexplode(o.usual) WITH ORDINALITY AS g(grantor, grantee, privilege, grantable, place)
        WHERE NOT EXISTS (SELECT FROM aclexplode(o.acl) u
          WHERE (u.grantee, u.privilege_type) = (g.grantee, g.privilege)))
    SELECT d.key, d."column", d.revoked, d.privilege, r.rolname AS grantee, b.rolname AS grantor, w.rolname AS owner,
      d.grantable
    FROM difference d LEFT JOIN pg_roles r ON r.oid = d.grantee JOIN pg_roles b ON b.oid = d.grantor
    JOIN pg_roles w ON w.oid = d.owner
    ORDER BY d.key NOT LIKE 'pg_namespace:%', d.key, d."column" NULLS FIRST, d.revoked DESC, d.place`;
}

/**
 * At cutover, after the owners, in the order in which privileges were handed on; those of schemas first, since who
 * hands on a privilege on an object has to be let into its schema.
 */
export async function describeGrants(
  catalog: Catalog,
  objects: readonly DescribedObject[],
): Promise<DescribedObject[]> {
  if (!catalog.options.grants) return [];
  const { rows } = await catalog.client.query<GrantRow>(grantsSql());
  const statements = new Map<string, string[]>();
  const byKey = new Map(objects.map((object) => [object.key, object]));
  for (const row of rows) {
    const target = grantTarget(byKey.get(row.key));
    const list = statements.get(row.key) ?? [];
    // An owner that is not carried has no rights at the destination beyond those given to it.
    if (target !== undefined) list.push(...grantSql(row, target, catalog));
    statements.set(row.key, list);
  }
  return [...statements].flatMap(([key, list]): DescribedObject[] => {
    const object = byKey.get(key);
    if (!object || list.length === 0) return [];
    const { schema, name, table } = object;
    const sql = list.join('; ');
    const needs = [`${key}/owner`];
    return [{ key: `${key}/grants`, section: 'cutover', kind: 'grants', schema, name, table, sql, of: key, needs }];
  });
}

/** GRANT knows fewer classes than COMMENT. */
function grantTarget(object: DescribedObject | undefined): string | undefined {
  return object?.target
    ?.replace(/^(MATERIALIZED VIEW|VIEW|FOREIGN TABLE) /, 'TABLE ')
    .replace(/^DOMAIN /, 'TYPE ')
    .replace(/^AGGREGATE /, 'FUNCTION ')
    .replace(/^SERVER /, 'FOREIGN SERVER ');
}

function grantSql(row: GrantRow, target: string, { options }: Catalog): string[] {
  const { column, privilege, grantee, grantor, owner, grantable } = row;
  if (row.revoked === 't' && grantee === owner && !options.owners) return [];
  const what = column === null ? privilege : `${privilege} (${quoteIdentifier(column)})`;
  const role = roleName(grantee, options);
  if (row.revoked === 't') return [`REVOKE ${what} ON ${target} FROM ${role}`];
  const grant = `GRANT ${what} ON ${target} TO ${role}${grantable === 't' ? ' WITH GRANT OPTION' : ''}`;
  if (grantor === owner) return [grant];
  return [`SET ROLE ${roleName(grantor, options)}`, grant, 'RESET ROLE'];
}

interface DefaultRow {
  oid: string;
  role: string;
  schema: string | null;
  type: string;
  revoked: string;
  privilege: string;
  grantee: string | null;
  grantable: string;
}

const words: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
};

/** At cutover: before, they would change what is made for the task. */
export async function readDefaultPrivileges({ client, options }: Catalog): Promise<DescribedObject[]> {
  if (!options.grants) return [];
  // Those of a schema add to the usual ones, those without stand in their place.
  const usual = `CASE WHEN d.defaclnamespace = 0 THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's'
    ELSE d.defaclobjtype END, d.defaclrole) ELSE NULL END`;
  const { rows } = await client.query<DefaultRow>(
    `WITH entry AS (
      SELECT d.oid, false AS revoked, g.* FROM pg_default_acl d,
        LATERAL aclexplode(d.defaclacl) WITH ORDINALITY AS g(grantor, grantee, privilege, grantable, place)
        WHERE NOT EXISTS (SELECT FROM aclexplode(${usual}) u WHERE (u.grantee, u.privilege_type, u.is_grantable)
          = (g.grantee, g.privilege, g.grantable))
      UNION ALL
      SELECT d.oid, true, g.* FROM pg_default_acl d,
        LATERAL aclexplode(${usual}) WITH ORDINALITY AS g(grantor, grantee, privilege, grantable, place)
        WHERE NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) u WHERE (u.grantee, u.privilege_type)
          = (g.grantee, g.privilege)))
    SELECT d.oid, o.rolname AS role, n.nspname AS schema, d.defaclobjtype AS type, e.revoked, e.privilege,
      r.rolname AS grantee, e.grantable
    FROM entry e JOIN pg_default_acl d ON d.oid = e.oid JOIN pg_roles o ON o.oid = d.defaclrole
    LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace LEFT JOIN pg_roles r ON r.oid = e.grantee
    ORDER BY 3 NULLS FIRST, 2, 4, e.revoked DESC, e.place`,
  );
  const statements = new Map<string, { row: DefaultRow; list: string[] }>();
  for (const row of rows) {
    const entry = statements.get(row.oid) ?? { row, list: [] };
    const schema = row.schema === null ? '' : ` IN SCHEMA ${quoteIdentifier(row.schema)}`;
    const role = roleName(row.grantee, options);
    const change =
      row.revoked === 't'
        ? `REVOKE ${row.privilege} ON ${words[row.type]} FROM ${role}`
        : `GRANT ${row.privilege} ON ${words[row.type]} TO ${role}${row.grantable === 't' ? ' WITH GRANT OPTION' : ''}`;
    entry.list.push(`ALTER DEFAULT PRIVILEGES FOR ROLE ${roleName(row.role, options)}${schema} ${change}`);
    statements.set(row.oid, entry);
  }
  return [...statements].map(([oid, { row, list }]) => ({
    key: `pg_default_acl:${oid}`,
    section: 'cutover',
    kind: 'default privileges',
    schema: row.schema ?? '',
    name: `${words[row.type]} of ${row.role}`,
    table: null,
    sql: list.join('; '),
  }));
}
