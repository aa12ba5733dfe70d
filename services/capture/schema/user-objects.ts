/** Conditions on catalog entries: what a user made, and not an extension. */

export const outsideExtensions = (catalog: string, oid: string) => `
  NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.classid = 'pg_catalog.${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;

/** Of `pg_namespace n`: neither PostgreSQL's own nor Sluice's. */
export const userSchema = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sluice')`;

/** An entry of a catalog whose objects stand in schemas, `n` being theirs. */
export const inUserSchema = (catalog: string, oid: string) => `${userSchema} AND ${outsideExtensions(catalog, oid)}`;

/** The first oid that objects of users get. */
export const FIRST_USER_OID = 16_384;

/** An entry of a catalog whose objects stand in no schema. */
export const madeByUser = (catalog: string, oid: string) =>
  `${oid} >= ${FIRST_USER_OID} AND ${outsideExtensions(catalog, oid)}`;
