import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';

interface CommentRow {
  kind: string;
  /** As pg_identify_object() writes it: qualified and quoted. */
  identity: string;
  schema: string | null;
  name: string;
  table_schema: string | null;
  table: string | null;
  section: 'pre-data' | 'post-data' | 'foreign-keys';
  comment: string;
}

const words: Readonly<Record<string, string>> = {
  schema: 'SCHEMA',
  table: 'TABLE',
  'table column': 'COLUMN',
  type: 'TYPE',
  'composite type': 'TYPE',
  'composite type column': 'COLUMN',
  sequence: 'SEQUENCE',
  index: 'INDEX',
  collation: 'COLLATION',
  'table constraint': 'CONSTRAINT',
};

/** Comments on what is carried; a comment comes in the section of its object. */
export const readComments: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<CommentRow>(
    `WITH carried(class, oid, section, relation) AS (
      SELECT 'pg_namespace'::regclass, n.oid, 'pre-data', 0::oid FROM pg_namespace n
        WHERE n.nspname = ANY ($4::text[]) AND n.nspname <> 'public'
      UNION ALL SELECT 'pg_type'::regclass, unnest($2::oid[]), 'pre-data', 0
      UNION ALL SELECT 'pg_class'::regclass, unnest($3::oid[]), 'pre-data', 0
      UNION ALL SELECT 'pg_collation'::regclass, unnest($5::oid[]), 'pre-data', 0
      UNION ALL SELECT 'pg_class'::regclass, t.typrelid, 'pre-data', 0 FROM pg_type t
        WHERE t.oid = ANY ($2::oid[]) AND t.typrelid <> 0
      UNION ALL SELECT 'pg_class'::regclass, r, 'pre-data', r FROM unnest($1::oid[]) r
      UNION ALL SELECT 'pg_class'::regclass, x.indexrelid, 'post-data', x.indrelid FROM pg_index x
        WHERE x.indrelid = ANY ($1::oid[]) AND x.indisready AND x.indisvalid
      UNION ALL SELECT 'pg_constraint'::regclass, k.oid,
          CASE WHEN k.contype = 'f' THEN 'foreign-keys' WHEN k.contype = 'c' AND k.convalidated THEN 'pre-data'
            ELSE 'post-data' END, k.conrelid
        FROM pg_constraint k WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'x', 'c', 'f')
          AND (k.contype <> 'f' OR k.confrelid = ANY ($1::oid[])))
    SELECT o.type AS kind, o.identity, o.schema, coalesce(o.name, o.identity) AS name, c.section, n.nspname AS table_schema,
      t.relname AS table, d.description AS comment
    FROM carried c
    JOIN pg_description d ON d.classoid = c.class AND d.objoid = c.oid
    LEFT JOIN pg_class t ON t.oid = c.relation LEFT JOIN pg_namespace n ON n.oid = t.relnamespace,
      LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    ORDER BY 1, 2`,
    [scope.tables, scope.types, scope.sequences, scope.schemas, scope.collations],
  );
  return rows.flatMap((row): DescribedObject[] => {
    const word = words[row.kind];
    if (word === undefined) return [];
    const table = row.table === null ? null : { schema: row.table_schema ?? '', name: row.table };
    return [
      {
        section: row.section,
        kind: 'comment',
        schema: row.schema ?? row.table_schema ?? '',
        name: row.name,
        table,
        sql: `COMMENT ON ${word} ${row.identity} IS ${quoteLiteral(row.comment)}`,
      },
    ];
  });
};
