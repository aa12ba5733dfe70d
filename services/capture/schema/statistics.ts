import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface StatisticsRow {
  oid: string;
  table_oid: string;
  schema: string;
  name: string;
  table_schema: string;
  table: string;
  kind: string;
  definition: string;
  target: string | null;
}

/** Extended statistics, with their targets. */
export const readStatistics: KindReader = async ({ client, version }) => {
  const { rows } = await client.query<StatisticsRow>(
    `SELECT s.oid, c.oid AS table_oid, n.nspname AS schema, s.stxname AS name, cn.nspname AS table_schema,
      c.relname AS table, c.relkind AS kind, pg_get_statisticsobjdef(s.oid) AS definition,
      ${version >= 130_000 ? 'nullif(s.stxstattarget, -1)' : 'NULL'} AS target
    FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
    JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
    WHERE ${inUserSchema('pg_statistic_ext', 's.oid')}
    ORDER BY 3, 4`,
  );
  return rows.map((row) => {
    const target = `STATISTICS ${quoteTable(row)}`;
    return {
      key: `pg_statistic_ext:${row.oid}`,
      section: 'post-data',
      kind: 'statistics',
      schema: row.schema,
      name: row.name,
      table: ['r', 'p'].includes(row.kind) ? { schema: row.table_schema, name: row.table } : null,
      sql: row.target === null ? row.definition : `${row.definition}; ALTER ${target} SET STATISTICS ${row.target}`,
      target,
      of: `pg_class:${row.table_oid}`,
    };
  });
};
