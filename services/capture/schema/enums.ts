import { quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

export const readEnums: KindReader = async ({ client }) => {
  const { rows } = await client.query<{ oid: string; schema: string; name: string; labels: string }>(
    `SELECT t.oid, n.nspname AS schema, t.typname AS name,
      coalesce((SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '[]')
        AS labels
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype = 'e' AND ${inUserSchema('pg_type', 't.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => {
    const labels = (JSON.parse(row.labels) as string[]).map(quoteLiteral).join(', ');
    return {
      key: `pg_type:${row.oid}`,
      section: 'pre-data',
      kind: 'enum',
      schema: row.schema,
      name: row.name,
      table: null,
      sql: `CREATE TYPE ${quoteTable(row)} AS ENUM (${labels})`,
      target: `TYPE ${quoteTable(row)}`,
    };
  });
};
