import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { CreatedObject, DescribedObject, KindReader } from './described-object.ts';
import { type SequenceOptions, sequenceOptions, sequenceOptionsSql } from './sequence-options.ts';

interface SequenceRow extends SequenceOptions {
  oid: string;
  schema: string;
  name: string;
  unlogged: string;
}

/** Sequences other than those of identity columns. */
export const readSequences: KindReader<CreatedObject> = async ({ client, scope }) => {
  const { rows } = await client.query<SequenceRow>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged, ${sequenceOptionsSql}
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY ($1::oid[])`,
    [scope.sequences],
  );
  return rows.map((row) => ({
    node: `s${row.oid}`,
    section: 'pre-data',
    kind: 'sequence',
    schema: row.schema,
    name: row.name,
    table: null,
    sql: `CREATE ${row.unlogged === 't' ? 'UNLOGGED ' : ''}SEQUENCE ${quoteTable(row)} AS ${row.type} ${sequenceOptions(row)}`,
  }));
};

interface OwnershipRow {
  schema: string;
  name: string;
  table_schema: string;
  table: string;
  column: string;
}

/** Which column a sequence goes with when it is dropped. */
export const readSequenceOwnership: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<OwnershipRow>(
    `SELECT n.nspname AS schema, c.relname AS name, tn.nspname AS table_schema, t.relname AS table, a.attname AS column
    FROM pg_depend d
    JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
      AND d.objid = ANY ($1::oid[]) AND d.refobjid = ANY ($2::oid[])
    ORDER BY 1, 2`,
    [scope.sequences, scope.tables],
  );
  return rows.map((row): DescribedObject => {
    const table = { schema: row.table_schema, name: row.table };
    return {
      section: 'pre-data',
      kind: 'sequence ownership',
      schema: row.schema,
      name: row.name,
      table,
      sql: `ALTER SEQUENCE ${quoteTable(row)} OWNED BY ${quoteTable(table)}.${quoteIdentifier(row.column)}`,
    };
  });
};
