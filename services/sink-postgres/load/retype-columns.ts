import type pg from 'pg';
import { quoteIdentifier, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';

/** A column as it is read at the source; the type as format_type() writes it with an empty search path. */
export interface ReadColumn {
  readonly name: string;
  readonly type: string;
}

interface OtherType {
  name: string;
  type: string;
  /** The table that declares the column: the table itself, or one that it inherits the column from. */
  schema: string;
  table: string;
  inherited: string;
}

const otherTypes = `
  WITH RECURSIVE wanted AS (SELECT * FROM unnest($3::text[], $4::text[]) AS w(name, type)),
  holder(name, type, oid, inherited) AS (
    SELECT w.name, w.type, a.attrelid, false FROM wanted w
    JOIN pg_class c ON c.relname = $2 JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name
    WHERE format_type(a.atttypid, a.atttypmod) <> w.type
    UNION ALL
    SELECT h.name, h.type, p.attrelid, true FROM holder h
    JOIN pg_inherits i ON i.inhrelid = h.oid AND i.inhseqno = 1
    JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = h.name)
  SELECT DISTINCT h.name, h.type, n.nspname AS schema, c.relname AS "table", h.inherited FROM holder h
  JOIN pg_attribute a ON a.attrelid = h.oid AND a.attname = h.name AND a.attinhcount = 0
  JOIN pg_class c ON c.oid = h.oid JOIN pg_namespace n ON n.oid = c.relnamespace`;

/**
 * Gives the columns of an empty table the types that they have at the source by now. A column that is inherited
 * changes in the whole tree: every table of it is read again, so what was loaded of the old types goes.
 */
export async function retypeColumns(
  client: pg.Client,
  table: TableName,
  columns: readonly ReadColumn[],
): Promise<string[]> {
  const names = columns.map(({ name }) => name);
  const types = columns.map(({ type }) => type);
  const { rows } = await client.query<OtherType>(otherTypes, [table.schema, table.name, names, types]);
  for (const { name, type, schema, table: holder, inherited } of rows) {
    const declared = quoteTable({ schema, name: holder });
    if (inherited === 't') await client.query(`TRUNCATE TABLE ${declared}`);
    const column = quoteIdentifier(name);
    await client.query(`ALTER TABLE ${declared} ALTER COLUMN ${column} TYPE ${type} USING NULL::${type}`);
  }
  return rows.map(({ name }) => name);
}
