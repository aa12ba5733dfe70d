import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { roleName } from './roles.ts';
import { inUserSchema } from './user-objects.ts';

interface PolicyRow {
  oid: string;
  table_oid: string;
  schema: string;
  table: string;
  name: string;
  permissive: string;
  command: '*' | 'r' | 'a' | 'w' | 'd';
  /** Names as JSON; null stands for PUBLIC. */
  roles: string;
  using: string | null;
  check: string | null;
}

const commands = { '*': 'ALL', r: 'SELECT', a: 'INSERT', w: 'UPDATE', d: 'DELETE' } as const;

export const readPolicies: KindReader = async ({ client, options }) => {
  const { rows } = await client.query<PolicyRow>(
    `SELECT p.oid, c.oid AS table_oid, n.nspname AS schema, c.relname AS table, p.polname AS name,
      p.polpermissive AS permissive, p.polcmd AS command,
      (SELECT json_agg(a.rolname ORDER BY r.place) FROM unnest(p.polroles) WITH ORDINALITY AS r(oid, place)
        LEFT JOIN pg_roles a ON a.oid = r.oid) AS roles,
      pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${inUserSchema('pg_class', 'c.oid')}
    ORDER BY 3, 4, 5`,
  );
  return rows.map((row) => {
    const table = { schema: row.schema, name: row.table };
    const target = `POLICY ${quoteIdentifier(row.name)} ON ${quoteTable(table)}`;
    const roles = (JSON.parse(row.roles) as (string | null)[]).map((role) => roleName(role, options)).join(', ');
    const parts = [`CREATE ${target}`];
    if (row.permissive === 'f') parts.push('AS RESTRICTIVE');
    parts.push(`FOR ${commands[row.command]} TO ${roles}`);
    if (row.using !== null) parts.push(`USING (${row.using})`);
    if (row.check !== null) parts.push(`WITH CHECK (${row.check})`);
    return {
      key: `pg_policy:${row.oid}`,
      section: 'post-data',
      kind: 'policy',
      schema: row.schema,
      name: row.name,
      table,
      sql: parts.join(' '),
      target,
      of: `pg_class:${row.table_oid}`,
    };
  });
};
