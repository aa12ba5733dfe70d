import type pg from 'pg';
import type { ColumnShape, ReplicaIdentity, TableShape } from '../envelope/change-event.ts';
import type { TableName } from '../postgres/identifiers.ts';
import { serverVersion } from '../postgres/server-version.ts';
import { type Selector, selector } from './selection.ts';
import type { Selection, Task } from './task.ts';

/** A table of the source whose rows and changes the task carries: an ordinary table or a leaf of a partitioned one. */
export interface SelectedTable {
  readonly shape: TableShape;
  readonly owner: string;
  /** The topmost partitioned table above a leaf. */
  readonly partitionRoot: TableName | null;
  /** `pg_class.relfilenode`, as decimal text. */
  readonly relfilenode: string;
  /** As pg_class.relreplident has it, and the name of the index that it uses. */
  readonly replicaIdentity: { readonly was: 'd' | 'n' | 'i' | 'f'; readonly index: string | null };
  /** Updates and deletes are logged with what it takes to find the row. */
  readonly identityUsable: boolean;
  /** REPLICA IDENTITY FULL would do. */
  readonly fullUsable: boolean;
  /** Estimates of the server's statistics: rows; heap and TOAST in bytes. */
  readonly approximateRows: number;
  readonly approximateBytes: number;
}

/** A table that the patterns select and the task cannot carry, or a part of one that they do not select. */
export interface LeftOutTable extends TableName {
  readonly reason: 'unlogged' | 'foreign table' | 'temporary' | 'partition';
}

export interface TableSelection {
  readonly tables: readonly SelectedTable[];
  readonly leftOut: readonly LeftOutTable[];
}

interface TableRow {
  oid: string;
  schema: string;
  name: string;
  kind: 'r' | 'f';
  persistence: 'p' | 'u' | 't';
  owner: string;
  relfilenode: string;
  identity: 'd' | 'n' | 'i' | 'f';
  identity_index: string | null;
  key: string;
  generated: string;
  lineage: string;
  rows: string;
  bytes: string;
}

interface ColumnRow {
  relation: string;
  number: string;
  name: string;
  type_oid: string;
  typmod: string;
  type: string;
}

/** Ordinary tables, those of other sessions' temporary schemas too, and foreign tables, outside of extensions. */
function tablesSql(version: number): string {
  // Before 11 an index has key columns only.
  const key = version >= 110_000 ? "array_to_string((x.indkey::int2[])[0:x.indnkeyatts - 1], ' ')" : 'x.indkey::text';
  const generated = (which: string) => `EXISTS (SELECT FROM pg_attribute g
    WHERE g.attrelid = c.oid AND NOT g.attisdropped AND ${version >= 120_000 ? "g.attgenerated <> ''" : 'false'} AND ${which})`;
  return `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
    r.rolname AS owner, c.relfilenode, c.relreplident AS identity,
    (SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
      WHERE x.indrelid = c.oid AND x.indisreplident) AS identity_index,
    -- Where the identity names an index, the old tuples hold its columns, not the primary key's. No generated ones.
    coalesce((SELECT ${key} FROM pg_index x
      WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
        AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END
        AND NOT ${generated('g.attnum = ANY (x.indkey)')}), '') AS key,
    ${generated('true')} AS generated,
    coalesce((WITH RECURSIVE up(parent, level) AS (
        SELECT i.inhparent, 1 FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition
        UNION ALL
        SELECT i.inhparent, up.level + 1 FROM up JOIN pg_class p ON p.oid = up.parent AND p.relispartition
          JOIN pg_inherits i ON i.inhrelid = up.parent)
      SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) ORDER BY up.level)
      FROM up JOIN pg_class p ON p.oid = up.parent JOIN pg_namespace pn ON pn.oid = p.relnamespace), '[]') AS lineage,
    greatest(c.reltuples, 0)::bigint AS rows,
    CASE c.relkind WHEN 'r' THEN coalesce(pg_table_size(c.oid), 0) ELSE 0 END AS bytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles r ON r.oid = c.relowner
  WHERE c.relkind IN ('r', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname, c.relname`;
}

/** Those of which updates and deletes could not be carried, with the identities that they have or would get. */
export function withoutIdentity(
  tables: readonly SelectedTable[],
  replicaIdentity: Task['source']['replicaIdentity'],
): SelectedTable[] {
  return tables.filter((table) => !table.identityUsable && (replicaIdentity === 'keep' || !table.fullUsable));
}

/** The columns that pgoutput carries unasked: live ones, and no generated ones. */
function columnsSql(version: number): string {
  return `
    SELECT a.attrelid AS relation, a.attnum AS number, a.attname AS name, a.atttypid AS type_oid,
      a.atttypmod AS typmod, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_attribute a
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
      ${version >= 120_000 ? "AND a.attgenerated = ''" : ''}
    ORDER BY a.attrelid, a.attnum`;
}

/** Reads what the task selects, as the client's snapshot sees it, in order of names. */
export async function readTableSelection(client: pg.ClientBase, selection: Selection): Promise<TableSelection> {
  const selects = selector(selection);
  const version = await serverVersion(client);
  const { rows } = await client.query<TableRow>(tablesSql(version));
  const selected = rows.filter((row) => selects.table([row, ...lineageOf(row)]));
  const carried = selected.filter((row) => cannotBeCarried(row) === null);
  const columns = await readColumns(client, carried, version);
  return {
    tables: carried.map((row) => selectedTable(row, columns.get(row.oid) ?? [], version)),
    leftOut: rows.flatMap((row) => {
      const reason = leftOutReason(row, selects);
      return reason === null ? [] : [{ schema: row.schema, name: row.name, reason }];
    }),
  };
}

function leftOutReason(row: TableRow, selects: Selector): LeftOutTable['reason'] | null {
  const lineage = lineageOf(row);
  if (selects.table([row, ...lineage])) return cannotBeCarried(row);
  if (row.persistence === 't') return selects.byTable ? null : 'temporary';
  return lineage.some((_, above) => selects.table(lineage.slice(above))) ? 'partition' : null;
}

function lineageOf(row: TableRow): TableName[] {
  return JSON.parse(row.lineage) as TableName[];
}

function cannotBeCarried(row: TableRow): LeftOutTable['reason'] | null {
  if (row.kind === 'f') return 'foreign table';
  return row.persistence === 'u' ? 'unlogged' : null;
}

async function readColumns(
  client: pg.ClientBase,
  rows: readonly TableRow[],
  version: number,
): Promise<Map<string, ColumnRow[]>> {
  const found = await client.query<ColumnRow>(columnsSql(version), [rows.map((row) => row.oid)]);
  const byTable = new Map<string, ColumnRow[]>();
  for (const column of found.rows) {
    const list = byTable.get(column.relation);
    if (list) list.push(column);
    else byTable.set(column.relation, [column]);
  }
  return byTable;
}

const identityNames: Readonly<Record<TableRow['identity'], ReplicaIdentity>> = {
  d: 'default',
  n: 'nothing',
  i: 'index',
  f: 'full',
};

function selectedTable(row: TableRow, columns: readonly ColumnRow[], version: number): SelectedTable {
  const key = new Set(row.key.split(' '));
  const lineage = lineageOf(row);
  const { schema, name } = row;
  // From 18 on the server refuses updates of a published table whose identity has columns that are not published.
  const fullUsable = version < 180_000 || row.generated !== 't';
  return {
    shape: {
      schema,
      name,
      oid: Number(row.oid),
      identity: identityNames[row.identity],
      columns: columns.map((column) => columnShape(column, key)),
    },
    owner: row.owner,
    partitionRoot: lineage.at(-1) ?? null,
    relfilenode: row.relfilenode,
    replicaIdentity: { was: row.identity, index: row.identity_index },
    identityUsable: row.identity === 'f' ? fullUsable : row.identity !== 'n' && row.key !== '',
    fullUsable,
    approximateRows: Number(row.rows),
    approximateBytes: Number(row.bytes),
  };
}

function columnShape(column: ColumnRow, key: ReadonlySet<string>): ColumnShape {
  return {
    name: column.name,
    typeOid: Number(column.type_oid),
    typmod: Number(column.typmod),
    type: column.type,
    key: key.has(column.number),
  };
}
