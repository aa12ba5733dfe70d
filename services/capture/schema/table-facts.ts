import type pg from 'pg';
import type { TableName } from '../../../shared/postgres/identifiers.ts';
import { type ColumnRow, readColumns } from './columns.ts';
import { inUserSchema } from './user-objects.ts';

/** A table as its catalogs describe it. */
export interface Table extends TableName {
  readonly oid: string;
  readonly unlogged: boolean;
  readonly partitioned: boolean;
  readonly partition: boolean;
  readonly partitionKey: string | null;
  /** The composite type that a typed table is of, as SQL. */
  readonly type: string | null;
  readonly parents: readonly Parent[];
  /** The tables above a partition, nearest first. */
  readonly lineage: readonly TableName[];
  readonly checks: readonly Check[];
  readonly notNulls: readonly NotNull[];
  /** Storage options, as JSON. */
  readonly options: string;
  readonly accessMethod: string | null;
  readonly server: string | null;
  /** Options of a foreign table, as JSON. */
  readonly foreignOptions: string;
  readonly rowSecurity: boolean;
  readonly forcedRowSecurity: boolean;
  readonly columns: readonly ColumnRow[];
}

export interface Parent extends TableName {
  readonly oid: string;
}

/** One that is validated. */
export interface Check {
  readonly oid: string;
  readonly name: string;
  readonly definition: string;
  readonly local: boolean;
}

/** A not-null constraint with a name of its own: from 18 on. */
export interface NotNull {
  readonly name: string;
  readonly column: string;
  readonly local: boolean;
  readonly noInherit: boolean;
}

const lineageSql = `coalesce((
  WITH RECURSIVE up(parent, level) AS (
    SELECT i.inhparent, 1 FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition
    UNION ALL
    SELECT i.inhparent, up.level + 1 FROM up JOIN pg_class p ON p.oid = up.parent AND p.relispartition
      JOIN pg_inherits i ON i.inhrelid = up.parent)
  SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) ORDER BY up.level)
  FROM up JOIN pg_class p ON p.oid = up.parent JOIN pg_namespace pn ON pn.oid = p.relnamespace), '[]')`;

const notNullsSql = `coalesce((
  SELECT json_agg(json_build_object('name', k.conname, 'column', a.attname, 'local', k.conislocal,
    'noInherit', k.connoinherit) ORDER BY a.attnum)
  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
  WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.convalidated), '[]')`;

/** Tables, and foreign tables (`f`) with their server. Checks that are not validated come after the data. */
function tablesSql(version: number): string {
  const accessMethod = `(SELECT m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap')`;
  return `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged,
    c.relkind = 'p' AS partitioned, c.relispartition AS partition,
    CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
    CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS type,
    coalesce((SELECT json_agg(json_build_object('oid', p.oid::text, 'schema', pn.nspname, 'name', p.relname)
        ORDER BY i.inhseqno)
      FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE i.inhrelid = c.oid AND NOT c.relispartition), '[]') AS parents,
    ${lineageSql} AS lineage,
    coalesce((SELECT json_agg(json_build_object('oid', k.oid::text, 'name', k.conname,
        'definition', pg_get_constraintdef(k.oid), 'local', k.conislocal) ORDER BY k.conname)
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated), '[]') AS checks,
    ${version >= 180_000 ? notNullsSql : `'[]'`} AS not_nulls,
    (SELECT coalesce(json_agg(o.option), '[]') FROM (
        SELECT unnest(c.reloptions) AS option
        UNION ALL SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid) o) AS options,
    ${version >= 120_000 ? accessMethod : 'NULL'} AS access_method,
    s.srvname AS server, coalesce(array_to_json(f.ftoptions), '[]') AS foreign_options,
    c.relrowsecurity AS row_security, c.relforcerowsecurity AS forced_row_security
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
  WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ${inUserSchema('pg_class', 'c.oid')}
  ORDER BY 2, 3`;
}

interface TableRow {
  oid: string;
  schema: string;
  name: string;
  unlogged: string;
  partitioned: string;
  partition: string;
  partition_key: string | null;
  type: string | null;
  parents: string;
  lineage: string;
  checks: string;
  not_nulls: string;
  options: string;
  access_method: string | null;
  server: string | null;
  foreign_options: string;
  row_security: string;
  forced_row_security: string;
}

export async function readTableFacts(client: pg.ClientBase, version: number): Promise<Table[]> {
  const { rows } = await client.query<TableRow>(tablesSql(version));
  const columns = await readColumns(
    client,
    version,
    rows.map(({ oid }) => oid),
  );
  return rows.map((row) => tableOf(row, columns.get(row.oid) ?? []));
}

function tableOf(row: TableRow, columns: readonly ColumnRow[]): Table {
  const { oid, schema, name, type, options, server } = row;
  return {
    oid,
    schema,
    name,
    type,
    options,
    server,
    columns,
    unlogged: row.unlogged === 't',
    partitioned: row.partitioned === 't',
    partition: row.partition === 't',
    partitionKey: row.partition_key,
    parents: JSON.parse(row.parents) as Parent[],
    lineage: JSON.parse(row.lineage) as TableName[],
    checks: JSON.parse(row.checks) as Check[],
    notNulls: JSON.parse(row.not_nulls) as NotNull[],
    accessMethod: row.access_method,
    foreignOptions: row.foreign_options,
    rowSecurity: row.row_security === 't',
    forcedRowSecurity: row.forced_row_security === 't',
  };
}
