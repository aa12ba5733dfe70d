import type pg from 'pg';

export interface Identity {
  readonly type: string;
  readonly identity: string;
}

/** As pg_identify_object() names them, by key; settings, whose keys have a suffix, have none. */
export async function readIdentities(client: pg.ClientBase, keys: readonly string[]): Promise<Map<string, Identity>> {
  const objects = keys.filter((key) => !key.includes('/'));
  const { rows } = await client.query<{ key: string; type: string; identity: string | null }>(
    `SELECT k.key, o.type, o.identity
    FROM unnest($1::text[]) AS k(key),
      LATERAL pg_identify_object(split_part(k.key, ':', 1)::regclass, split_part(k.key, ':', 2)::oid, 0) o`,
    [objects],
  );
  return new Map(rows.flatMap(({ key, type, identity }) => (identity === null ? [] : [[key, { type, identity }]])));
}
