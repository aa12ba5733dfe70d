import { quoteIdentifier, quoteLiteral, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import type { Catalog, CreatedObject, DescribedObject, KindReader } from './described-object.ts';
import { columnDefinition } from './table-columns.ts';

interface TableRow {
  oid: string;
  schema: string;
  name: string;
  unlogged: string;
  partition_key: string | null;
  partition: string;
  parents: string;
  checks: string;
  options: string;
  access_method: string | null;
}

/** Checks that are not validated come after the data. */
function tablesSql(version: number): string {
  const accessMethod = `(SELECT m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap')`;
  return `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged,
    CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
    c.relispartition AS partition,
    coalesce((SELECT json_agg(json_build_object('oid', p.oid::text, 'schema', pn.nspname, 'name', p.relname)
        ORDER BY i.inhseqno)
      FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE i.inhrelid = c.oid AND NOT c.relispartition), '[]') AS parents,
    coalesce((SELECT json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid),
        'local', k.conislocal) ORDER BY k.conname)
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated), '[]') AS checks,
    (SELECT coalesce(json_agg(o.option), '[]') FROM (
        SELECT unnest(c.reloptions) AS option
        UNION ALL SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid) o) AS options,
    ${version >= 120_000 ? accessMethod : 'NULL'} AS access_method
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY ($1::oid[])`;
}

interface Parent extends TableName {
  oid: string;
}

interface Check {
  name: string;
  definition: string;
  local: boolean;
}

type Columns = Catalog['columns'];

export const readTables: KindReader<CreatedObject> = async ({ client, version, scope, columns }) => {
  const { rows } = await client.query<TableRow>(tablesSql(version), [scope.tables]);
  return rows.map((row) => ({
    node: `r${row.oid}`,
    section: 'pre-data',
    kind: 'table',
    schema: row.schema,
    name: row.name,
    table: { schema: row.schema, name: row.name },
    sql: tableSql(row, columns),
  }));
};

/** Children that were created with all their columns become children now. */
export const readInheritance: KindReader = async ({ client, version, scope, columns }) => {
  const { rows } = await client.query<TableRow>(tablesSql(version), [scope.tables]);
  return rows
    .filter((row) => !inheritsAtCreation(row, columns))
    .flatMap((row) =>
      parentsOf(row).map((parent): DescribedObject => {
        const table = { schema: row.schema, name: row.name };
        const sql = `ALTER TABLE ONLY ${quoteTable(table)} INHERIT ${quoteTable(parent)}`;
        return { section: 'pre-data', kind: 'inheritance', ...table, table, sql };
      }),
    );
};

/**
 * CREATE TABLE ... INHERITS puts the parents' columns first. A child whose columns stand in another order, since a
 * parent got a column later, is created with all of its columns and becomes a child afterwards, as partitions do:
 * the order of the columns is what SELECT * shows.
 */
function inheritsAtCreation(row: TableRow, columns: Columns): boolean {
  const own = (columns.get(row.oid) ?? []).map(({ name }) => name);
  const inherited = new Set(parentsOf(row).flatMap(({ oid }) => (columns.get(oid) ?? []).map(({ name }) => name)));
  return [...inherited].every((name, i) => own[i] === name);
}

function parentsOf(row: TableRow): Parent[] {
  return JSON.parse(row.parents) as Parent[];
}

function tableSql(row: TableRow, columns: Columns): string {
  const inherits = inheritsAtCreation(row, columns);
  const complete = row.partition === 't' || !inherits;
  const parents = inherits ? parentsOf(row) : [];
  const options = JSON.parse(row.options) as string[];
  const body = [
    ...(columns.get(row.oid) ?? []).filter(({ local }) => complete || local === 't').map(columnDefinition),
    ...(JSON.parse(row.checks) as Check[])
      .filter(({ local }) => complete || local)
      .map(({ name, definition }) => `CONSTRAINT ${quoteIdentifier(name)} ${definition}`),
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
