import type pg from 'pg';
import { FIRST_USER_OID } from './user-objects.ts';

/** How the entries of the catalogs hang together, by keys as DescribedObject has them. */
export interface CatalogEntries {
  /** What an entry needs, as pg_depend has it; a column is its relation's entry with `#` and its number. */
  readonly dependencies: readonly { readonly from: string; readonly to: string }[];
  /** The entry that another goes with: an array type with its element type, a row type with its table, ... */
  readonly owner: ReadonlyMap<string, string>;
  /** Entries that belong to an extension, by their keys. */
  readonly extension: ReadonlyMap<string, string>;
}

const key = (catalog: string, oid: string) => `d.${catalog}::regclass || ':' || d.${oid}`;

/**
 * What goes with its owner needs nothing by itself; a relation that goes with another (an index, an owned sequence, a
 * partition) says by itself what it needs.
 */
const dependenciesSql = `
  SELECT DISTINCT ${key('classid', 'objid')} || CASE WHEN d.classid = 'pg_class'::regclass AND d.objsubid > 0
      THEN '#' || d.objsubid ELSE '' END AS "from", ${key('refclassid', 'refobjid')}
    || CASE WHEN d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 THEN '#' || d.refobjsubid ELSE '' END AS "to", d.deptype = 'e' AS member
  FROM pg_depend d
  WHERE d.objid >= ${FIRST_USER_OID} AND d.refobjid >= ${FIRST_USER_OID} AND d.deptype IN ('n', 'a', 'i', 'e')
    AND NOT (d.deptype = 'a' AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass)
  ORDER BY 1, 2`;

function ownersSql(version: number): string {
  const multiranges = `
    UNION ALL SELECT 'pg_type:' || g.rngmultitypid, 'pg_type:' || g.rngtypid FROM pg_range g
      WHERE g.rngmultitypid >= ${FIRST_USER_OID}`;
  return `
    SELECT 'pg_type:' || typarray AS entry, 'pg_type:' || oid AS owner FROM pg_type WHERE typarray >= ${FIRST_USER_OID}
    UNION ALL SELECT 'pg_type:' || reltype, 'pg_class:' || oid FROM pg_class WHERE reltype >= ${FIRST_USER_OID} AND relkind <> 'c'
    UNION ALL SELECT 'pg_class:' || oid, 'pg_type:' || reltype FROM pg_class
      WHERE reltype >= ${FIRST_USER_OID} AND relkind = 'c'
    UNION ALL SELECT 'pg_class:' || conindid, 'pg_constraint:' || oid FROM pg_constraint WHERE contype IN ('p', 'u', 'x')
    UNION ALL SELECT 'pg_constraint:' || oid, CASE conrelid WHEN 0 THEN 'pg_type:' || contypid ELSE 'pg_class:' || conrelid END
      FROM pg_constraint WHERE contype NOT IN ('f', 't')
    UNION ALL SELECT 'pg_attrdef:' || oid, 'pg_class:' || adrelid FROM pg_attrdef
    UNION ALL SELECT 'pg_rewrite:' || oid, 'pg_class:' || ev_class FROM pg_rewrite WHERE rulename = '_RETURN'
    UNION ALL SELECT ${key('classid', 'objid')}, ${key('refclassid', 'refobjid')} FROM pg_depend d
      WHERE d.deptype = 'i' AND d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass
    UNION ALL SELECT DISTINCT ${key('classid', 'objid')}, ${key('refclassid', 'refobjid')} FROM pg_depend d
      WHERE d.deptype = 'i' AND d.objid >= ${FIRST_USER_OID} AND d.classid = 'pg_class'::regclass
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
    ${version >= 140_000 ? multiranges : ''}`;
}

export async function readCatalogEntries(client: pg.ClientBase, version: number): Promise<CatalogEntries> {
  const { rows } = await client.query<{ from: string; to: string; member: string }>(dependenciesSql);
  const owners = await client.query<{ entry: string; owner: string }>(ownersSql(version));
  const extension = new Map(rows.filter(({ member }) => member === 't').map(({ from, to }) => [from, to]));
  return {
    dependencies: rows.filter(({ from, member }) => member === 'f' && !extension.has(from)),
    owner: new Map(owners.rows.map(({ entry, owner }) => [entry, owner])),
    extension,
  };
}
