import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';

interface IndexRow {
  schema: string;
  name: string;
  table: string;
  definition: string;
}

/** Usable indexes other than those of constraints; on a partitioned table the definition says ON ONLY. */
export const readIndexes: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<IndexRow>(
    `SELECT n.nspname AS schema, i.relname AS name, t.relname AS table, pg_get_indexdef(i.oid) AS definition
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
    JOIN pg_class t ON t.oid = x.indrelid
    WHERE x.indrelid = ANY ($1::oid[]) AND x.indisready AND (x.indisvalid OR t.relkind = 'p')
      AND NOT EXISTS (SELECT FROM pg_constraint k
        WHERE k.conrelid = t.oid AND k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
    ORDER BY 1, 3, 2`,
    [scope.tables],
  );
  return rows.map((row): DescribedObject => {
    const table = { schema: row.schema, name: row.table };
    return { section: 'post-data', kind: 'index', schema: row.schema, name: row.name, table, sql: row.definition };
  });
};

interface AttachmentRow {
  schema: string;
  name: string;
  table: string;
  parent_schema: string;
  parent: string;
}

/** Indexes of partitions under those of the partitioned table, by name. Before 11 there are none. */
export const readIndexAttachments: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<AttachmentRow>(
    `SELECT n.nspname AS schema, i.relname AS name, t.relname AS table, pn.nspname AS parent_schema, p.relname AS parent
    FROM pg_inherits h
    JOIN pg_index x ON x.indexrelid = h.inhrelid JOIN pg_index px ON px.indexrelid = h.inhparent
    JOIN pg_class i ON i.oid = h.inhrelid JOIN pg_namespace n ON n.oid = i.relnamespace
    JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE x.indrelid = ANY ($1::oid[]) AND px.indrelid = ANY ($1::oid[])
    ORDER BY 1, 3, 2`,
    [scope.tables],
  );
  return rows.map((row): DescribedObject => {
    const parent = quoteTable({ schema: row.parent_schema, name: row.parent });
    return {
      section: 'post-data',
      kind: 'index attachment',
      schema: row.schema,
      name: row.name,
      table: { schema: row.schema, name: row.table },
      sql: `ALTER INDEX ${parent} ATTACH PARTITION ${quoteTable(row)}`,
    };
  });
};

interface UseRow {
  schema: string;
  table: string;
  index: string | null;
  identity: 'n' | 'f' | 'i';
}

export const readClusteredIndexes: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<UseRow>(
    `SELECT n.nspname AS schema, t.relname AS table, i.relname AS index
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE x.indrelid = ANY ($1::oid[]) AND x.indisclustered AND x.indisvalid ORDER BY 1, 2`,
    [scope.tables],
  );
  return rows.map((row) => ofTable(row, 'clustering', `CLUSTER ON ${quoteIdentifier(row.index ?? '')}`));
};

function ofTable(row: UseRow, kind: string, change: string): DescribedObject {
  const table = { schema: row.schema, name: row.table };
  return { section: 'post-data', kind, ...table, table, sql: `ALTER TABLE ONLY ${quoteTable(table)} ${change}` };
}

/** An index that is gone leaves a table without identity, as the source has it: there is nothing to say then. */
export const readReplicaIdentities: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<UseRow>(
    `SELECT n.nspname AS schema, t.relname AS table, i.relname AS index, t.relreplident AS identity
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_index x ON x.indrelid = t.oid AND x.indisreplident LEFT JOIN pg_class i ON i.oid = x.indexrelid
    WHERE t.oid = ANY ($1::oid[]) AND (t.relreplident IN ('n', 'f') OR i.relname IS NOT NULL) ORDER BY 1, 2`,
    [scope.tables],
  );
  return rows.map((row) => ofTable(row, 'replica identity', `REPLICA IDENTITY ${identityClause(row)}`));
};

function identityClause(row: UseRow): string {
  if (row.identity === 'f') return 'FULL';
  return row.identity === 'n' ? 'NOTHING' : `USING INDEX ${quoteIdentifier(row.index ?? '')}`;
}
