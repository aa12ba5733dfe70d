import { quoteIdentifier, quoteLiteral, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import type { CreatedObject, KindReader } from './described-object.ts';
import { type ColumnRow, columnDefinition, readColumns } from './table-columns.ts';

interface TableRow {
  oid: string;
  schema: string;
  name: string;
  unlogged: string;
  partition_key: string | null;
  parents: string;
  checks: string;
  options: string;
  access_method: string | null;
}

/**
 * Partitions are created with all their columns and checks and attached afterwards, which keeps the order of their
 * columns; other children inherit theirs. Checks that are not validated come after the data.
 */
function tablesSql(version: number): string {
  const accessMethod = `(SELECT m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap')`;
  return `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged,
    CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
    coalesce((SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) ORDER BY i.inhseqno)
      FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE i.inhrelid = c.oid AND NOT c.relispartition), '[]') AS parents,
    coalesce((SELECT json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid))
        ORDER BY k.conname)
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
        AND (k.conislocal OR c.relispartition)), '[]') AS checks,
    (SELECT coalesce(json_agg(o.option), '[]') FROM (
        SELECT unnest(c.reloptions) AS option
        UNION ALL SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid) o) AS options,
    ${version >= 120_000 ? accessMethod : 'NULL'} AS access_method
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY ($1::oid[])`;
}

export const readTables: KindReader<CreatedObject> = async ({ client, version, scope }) => {
  const { rows } = await client.query<TableRow>(tablesSql(version), [scope.tables]);
  const columns = await readColumns(client, version, scope.tables);
  return rows.map((row) => ({
    node: `r${row.oid}`,
    section: 'pre-data',
    kind: 'table',
    schema: row.schema,
    name: row.name,
    table: { schema: row.schema, name: row.name },
    sql: tableSql(row, columns.get(row.oid) ?? []),
  }));
};

function tableSql(row: TableRow, columns: readonly ColumnRow[]): string {
  const checks = JSON.parse(row.checks) as { name: string; definition: string }[];
  const parents = JSON.parse(row.parents) as TableName[];
  const options = JSON.parse(row.options) as string[];
  const body = [
    ...columns.filter((column) => column.local === 't').map(columnDefinition),
    ...checks.map(({ name, definition }) => `CONSTRAINT ${quoteIdentifier(name)} ${definition}`),
  ];
  const parts = [`CREATE ${row.unlogged === 't' ? 'UNLOGGED ' : ''}TABLE ${quoteTable(row)} (${body.join(', ')})`];
  if (parents.length > 0) parts.push(`INHERITS (${parents.map(quoteTable).join(', ')})`);
  if (row.partition_key !== null) parts.push(`PARTITION BY ${row.partition_key}`);
  if (row.access_method !== null) parts.push(`USING ${quoteIdentifier(row.access_method)}`);
  if (options.length > 0) parts.push(`WITH (${options.map(storageOption).join(', ')})`);
  return parts.join(' ');
}

/** `name=value` as the catalog holds it. */
function storageOption(text: string): string {
  const at = text.indexOf('=');
  return `${text.slice(0, at)} = ${quoteLiteral(text.slice(at + 1))}`;
}
