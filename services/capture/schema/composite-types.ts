import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface AttributeRow {
  name: string;
  type: string;
  collation: { schema: string; name: string } | null;
}

export const readCompositeTypes: KindReader = async ({ client }) => {
  const { rows } = await client.query<{ oid: string; schema: string; name: string; attributes: string }>(
    `SELECT t.oid, n.nspname AS schema, t.typname AS name,
      coalesce((SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'collation', CASE WHEN a.attcollation <> u.typcollation
            THEN json_build_object('schema', cn.nspname, 'name', c.collname) END) ORDER BY a.attnum)
        FROM pg_attribute a JOIN pg_type u ON u.oid = a.atttypid
        LEFT JOIN pg_collation c ON c.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS attributes
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_class r ON r.oid = t.typrelid AND r.relkind = 'c'
    WHERE t.typtype = 'c' AND ${inUserSchema('pg_type', 't.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => {
    const attributes = (JSON.parse(row.attributes) as AttributeRow[]).map(attributeSql).join(', ');
    return {
      key: `pg_type:${row.oid}`,
      section: 'pre-data',
      kind: 'composite type',
      schema: row.schema,
      name: row.name,
      table: null,
      sql: `CREATE TYPE ${quoteTable(row)} AS (${attributes})`,
      target: `TYPE ${quoteTable(row)}`,
    };
  });
};

function attributeSql({ name, type, collation }: AttributeRow): string {
  return `${quoteIdentifier(name)} ${type}${collation === null ? '' : ` COLLATE ${quoteTable(collation)}`}`;
}
