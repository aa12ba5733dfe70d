import type pg from 'pg';
import { type TableName, tableKey } from '../postgres/identifiers.ts';
import type { Column } from './stored-objects.ts';

export interface TableColumns extends TableName {
  /** Of the source. */
  readonly columns: readonly Column[];
}

export interface ColumnDifferences {
  readonly table: TableName;
  /** Rows cannot be loaded without them. */
  readonly missing: readonly string[];
  /** One sentence for each difference. */
  readonly sentences: readonly string[];
}

interface DestinationColumn extends Column {
  readonly required: boolean;
}

/** How tables that exist at the destination differ from the source's, for those that do. */
export async function columnDifferences(
  client: pg.Client,
  tables: readonly TableColumns[],
): Promise<ColumnDifferences[]> {
  const there = await readColumns(client, tables);
  return tables
    .map((table) => compare(table, there.get(tableKey(table)) ?? []))
    .filter(({ sentences }) => sentences.length > 0);
}

function compare(table: TableColumns, there: readonly DestinationColumn[]): ColumnDifferences {
  const { schema, name, columns } = table;
  const byName = new Map(there.map((column) => [column.name, column]));
  const known = new Set(columns.map((column) => column.name));
  const missing = columns.filter((column) => !byName.has(column.name)).map((column) => column.name);
  const others = columns.flatMap((column) => {
    const found = byName.get(column.name);
    return found && found.type !== column.type ? [`column ${column.name} is ${found.type}, not ${column.type}`] : [];
  });
  const extra = there
    .filter((column) => !known.has(column.name))
    .map((column) => `column ${column.name} is extra${column.required ? ' and takes no NULL, without a default' : ''}`);
  const sentences = [...missing.map((column) => `column ${column} is missing`), ...others, ...extra];
  return { table: { schema, name }, missing, sentences };
}

async function readColumns(client: pg.Client, tables: readonly TableName[]): Promise<Map<string, DestinationColumn[]>> {
  const { rows } = await client.query<Record<'schema' | 'table' | 'name' | 'type' | 'required', string>>(
    `SELECT n.nspname AS schema, c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')::text AS required
     FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
     JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY 1, 2, a.attnum`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const byTable = new Map<string, DestinationColumn[]>();
  for (const { schema, table, name, type, required } of rows) {
    const key = tableKey({ schema, name: table });
    const columns = byTable.get(key) ?? [];
    columns.push({ name, type, required: required === 'true' });
    byTable.set(key, columns);
  }
  return byTable;
}
