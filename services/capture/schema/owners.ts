import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { Catalog, DescribedObject } from './described-object.ts';
import { roleName } from './roles.ts';
import { FIRST_USER_OID } from './user-objects.ts';

const ownerColumns: Readonly<Record<string, string>> = {
  pg_namespace: 'nspowner',
  pg_language: 'lanowner',
  pg_collation: 'collowner',
  pg_conversion: 'conowner',
  pg_type: 'typowner',
  pg_proc: 'proowner',
  pg_operator: 'oprowner',
  pg_opfamily: 'opfowner',
  pg_opclass: 'opcowner',
  pg_ts_dict: 'dictowner',
  pg_ts_config: 'cfgowner',
  pg_foreign_data_wrapper: 'fdwowner',
  pg_foreign_server: 'srvowner',
  pg_class: 'relowner',
  pg_statistic_ext: 'stxowner',
  pg_event_trigger: 'evtowner',
};

/** Owners of the objects, by key. */
async function readOwners({ client }: Catalog): Promise<Map<string, string>> {
  const parts = Object.entries(ownerColumns).map(
    ([catalog, column]) =>
      `SELECT '${catalog}:' || oid AS key, ${column} AS owner FROM ${catalog} WHERE oid >= ${FIRST_USER_OID}
        OR '${catalog}' = 'pg_namespace'`,
  );
  const { rows } = await client.query<{ key: string; role: string }>(
    `SELECT o.key, r.rolname AS role FROM (${parts.join(' UNION ALL ')}) o JOIN pg_roles r ON r.oid = o.owner`,
  );
  return new Map(rows.map(({ key, role }) => [key, role]));
}

/**
 * At cutover: until then they belong to the account that makes and fills them. An index goes with its table, a
 * sequence with the table that owns it; an extension keeps its owner.
 */
export async function describeOwners(
  catalog: Catalog,
  objects: readonly DescribedObject[],
): Promise<DescribedObject[]> {
  if (!catalog.options.owners) return [];
  const owners = await readOwners(catalog);
  return objects.flatMap((object): DescribedObject[] => {
    const { key, kind, schema, name, table, target, lineage = [] } = object;
    const role = owners.get(key);
    const follows = kind === 'index' || (kind === 'sequence' && lineage.length > 0);
    if (role === undefined || target === undefined || follows) return [];
    const sql = `ALTER ${target} OWNER TO ${roleName(role, catalog.options)}`;
    return [{ key: `${key}/owner`, section: 'cutover', kind: 'owner', schema, name, table, sql, of: key }];
  });
}

interface ExtensionRow {
  key: string;
  extension_key: string;
  extension: string;
}

/** ALTER ... DEPENDS ON EXTENSION. */
export async function describeExtensionDependents(
  { client }: Catalog,
  objects: readonly DescribedObject[],
): Promise<DescribedObject[]> {
  const { rows } = await client.query<ExtensionRow>(
    `SELECT d.classid::regclass || ':' || d.objid AS key, 'pg_extension:' || e.oid AS extension_key, e.extname AS extension
    FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
    WHERE d.deptype = 'x' ORDER BY 1, 3`,
  );
  const byKey = new Map(objects.map((object) => [object.key, object]));
  return rows.flatMap(({ key, extension, extension_key }): DescribedObject[] => {
    const object = byKey.get(key);
    if (!object) return [];
    const { section, schema, name, table, target } = object;
    const sql = `ALTER ${target} DEPENDS ON EXTENSION ${quoteIdentifier(extension)}`;
    const kind = 'extension dependency';
    return [{ key: `${key}/${extension}`, section, kind, schema, name, table, sql, of: key, needs: [extension_key] }];
  });
}
