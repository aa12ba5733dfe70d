import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface IndexRow {
  oid: string;
  table_oid: string;
  schema: string;
  name: string;
  table: string;
  kind: 'r' | 'p' | 'm';
  definition: string;
  statistics: string;
}

/** Before 11 there is no statement that names the column of an index. */
const statisticsSql = `coalesce((
  SELECT json_agg(json_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum) FROM pg_attribute a
  WHERE a.attrelid = i.oid AND a.attstattarget >= 0), '[]')`;

/**
 * Usable indexes other than those of constraints, with the statistics targets of their expressions; on a partitioned
 * table the definition says ON ONLY.
 */
export const readIndexes: KindReader = async ({ client, version }) => {
  const { rows } = await client.query<IndexRow>(
    `SELECT i.oid, t.oid AS table_oid, n.nspname AS schema, i.relname AS name, t.relname AS table, t.relkind AS kind,
      pg_get_indexdef(i.oid) AS definition,
      ${version >= 110_000 ? statisticsSql : `'[]'`} AS statistics
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
    JOIN pg_class t ON t.oid = x.indrelid
    WHERE x.indisready AND (x.indisvalid OR t.relkind = 'p') AND ${inUserSchema('pg_class', 't.oid')}
      AND t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM pg_constraint k
        WHERE k.conrelid = t.oid AND k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
    ORDER BY 3, 5, 4`,
  );
  return rows.map((row): DescribedObject => {
    const key = `pg_class:${row.oid}`;
    const of = `pg_class:${row.table_oid}`;
    const { schema, name } = row;
    const table = row.kind === 'm' ? null : { schema, name: row.table };
    const target = `INDEX ${quoteTable(row)}`;
    const statistics = (JSON.parse(row.statistics) as [column: number, target: number][]).map(
      ([column, number]) => `; ALTER ${target} ALTER COLUMN ${column} SET STATISTICS ${number}`,
    );
    const sql = [row.definition, ...statistics].join('');
    const needs = row.kind === 'm' ? [`${of}/refresh`] : [];
    return { key, section: 'post-data', kind: 'index', schema, name, table, sql, target, of, needs };
  });
};

interface AttachmentRow {
  oid: string;
  parent_oid: string;
  table_oid: string;
  schema: string;
  name: string;
  table: string;
  parent_schema: string;
  parent: string;
}

/** Indexes of partitions under those of the partitioned table, by name. Before 11 there are none. */
export const readIndexAttachments: KindReader = async ({ client }) => {
  const { rows } = await client.query<AttachmentRow>(
    `SELECT i.oid, p.oid AS parent_oid, t.oid AS table_oid, n.nspname AS schema, i.relname AS name, t.relname AS table,
      pn.nspname AS parent_schema, p.relname AS parent
    FROM pg_inherits h
    JOIN pg_index x ON x.indexrelid = h.inhrelid JOIN pg_index px ON px.indexrelid = h.inhparent
    JOIN pg_class i ON i.oid = h.inhrelid JOIN pg_namespace n ON n.oid = i.relnamespace
    JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE ${inUserSchema('pg_class', 't.oid')}
    ORDER BY 4, 6, 5`,
  );
  return rows.map((row): DescribedObject => {
    const parent = quoteTable({ schema: row.parent_schema, name: row.parent });
    return {
      key: `pg_class:${row.oid}/attachment`,
      section: 'post-data',
      kind: 'index attachment',
      schema: row.schema,
      name: row.name,
      table: { schema: row.schema, name: row.table },
      sql: `ALTER INDEX ${parent} ATTACH PARTITION ${quoteTable(row)}`,
      of: `pg_class:${row.table_oid}`,
      needs: [`pg_class:${row.oid}`, `pg_class:${row.parent_oid}`],
    };
  });
};

interface UseRow {
  oid: string;
  kind: 'r' | 'p' | 'm';
  schema: string;
  table: string;
  index_oid: string | null;
  index: string | null;
  identity: 'n' | 'f' | 'i';
}

export const readClusteredIndexes: KindReader = async ({ client }) => {
  const { rows } = await client.query<UseRow>(
    `SELECT t.oid, t.relkind AS kind, n.nspname AS schema, t.relname AS table, i.oid AS index_oid, i.relname AS index
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE x.indisclustered AND x.indisvalid AND ${inUserSchema('pg_class', 't.oid')} ORDER BY 3, 4`,
  );
  return rows.map((row) => ofTable(row, 'clustering', `CLUSTER ON ${quoteIdentifier(row.index ?? '')}`));
};

/** An index that is gone leaves a table without identity, as the source has it: there is nothing to say then. */
export const readReplicaIdentities: KindReader = async ({ client }) => {
  const { rows } = await client.query<UseRow>(
    `SELECT t.oid, t.relkind AS kind, n.nspname AS schema, t.relname AS table, i.oid AS index_oid, i.relname AS index,
      t.relreplident AS identity
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_index x ON x.indrelid = t.oid AND x.indisreplident AND t.relreplident = 'i'
    LEFT JOIN pg_class i ON i.oid = x.indexrelid
    WHERE t.relkind IN ('r', 'p', 'm') AND (t.relreplident IN ('n', 'f') OR i.relname IS NOT NULL)
      AND ${inUserSchema('pg_class', 't.oid')}
    ORDER BY 3, 4`,
  );
  return rows.map((row) => ofTable(row, 'replica identity', `REPLICA IDENTITY ${identityClause(row)}`));
};

function ofTable(row: UseRow, kind: string, change: string): DescribedObject {
  const table = { schema: row.schema, name: row.table };
  const of = `pg_class:${row.oid}`;
  return {
    key: `${of}/${kind}`,
    section: 'post-data',
    kind,
    ...table,
    table: row.kind === 'm' ? null : table,
    sql: `ALTER TABLE ONLY ${quoteTable(table)} ${change}`,
    of,
    needs: row.index_oid === null ? [] : [`pg_class:${row.index_oid}`],
  };
}

function identityClause(row: UseRow): string {
  if (row.identity === 'f') return 'FULL';
  return row.identity === 'n' ? 'NOTHING' : `USING INDEX ${quoteIdentifier(row.index ?? '')}`;
}
