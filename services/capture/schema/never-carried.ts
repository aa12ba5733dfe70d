import type { DescribedObject, KindReader } from './described-object.ts';

const kinds: Readonly<Record<string, { readonly sql: string; readonly reason: string }>> = {
  publication: {
    sql: `SELECT oid, pubname AS name FROM pg_publication WHERE pubname NOT LIKE 'sluice\\_%' ORDER BY 2`,
    reason: 'publications are not carried',
  },
  subscription: {
    sql: `SELECT s.subname AS oid, s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
      WHERE d.datname = current_database() ORDER BY 2`,
    reason: 'subscriptions are not carried: two of one origin would lose changes',
  },
  tablespace: {
    sql: `SELECT DISTINCT t.oid, t.spcname AS name FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
      WHERE t.spcname <> 'pg_global' ORDER BY 2`,
    reason: 'what stands in it goes to the default tablespace of the destination',
  },
  'large objects': {
    sql: `SELECT 0 AS oid, count(*)::text || ' large objects' AS name FROM pg_largeobject_metadata HAVING count(*) > 0`,
    reason: 'large objects are not carried: PostgreSQL decodes no changes of them',
  },
};

/** What belongs to the database and is never carried, so that it can be said. */
export const readNeverCarried: KindReader = async ({ client }) => {
  const objects: DescribedObject[] = [];
  for (const [kind, { sql, reason }] of Object.entries(kinds)) {
    const { rows } = await client.query<{ oid: string; name: string }>(sql);
    for (const { oid, name } of rows) {
      const key = `${kind}:${oid}/left out`;
      objects.push({ key, section: 'pre-data', kind, schema: '', name, table: null, sql: '', leftOut: reason });
    }
  }
  return objects;
};
