import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface RangeRow {
  oid: string;
  schema: string;
  name: string;
  subtype: string;
  operators: string;
  operators_schema: string;
  collation: string | null;
  collation_schema: string | null;
  canonical: string | null;
  difference: string | null;
  multirange: string | null;
}

export const readRangeTypes: KindReader = async ({ client, version }) => {
  const { rows } = await client.query<RangeRow>(
    `SELECT t.oid, n.nspname AS schema, t.typname AS name, format_type(r.rngsubtype, NULL) AS subtype,
      o.opcname AS operators, o_n.nspname AS operators_schema, c.collname AS collation, c_n.nspname AS collation_schema,
      nullif(r.rngcanonical, 0)::regproc::text AS canonical, nullif(r.rngsubdiff, 0)::regproc::text AS difference,
      ${version >= 140_000 ? '(SELECT m.typname FROM pg_type m WHERE m.oid = r.rngmultitypid)' : 'NULL'} AS multirange
    FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_type s ON s.oid = r.rngsubtype
    JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace o_n ON o_n.oid = o.opcnamespace
    LEFT JOIN pg_collation c ON c.oid = r.rngcollation AND r.rngcollation <> s.typcollation
    LEFT JOIN pg_namespace c_n ON c_n.oid = c.collnamespace
    WHERE ${inUserSchema('pg_type', 't.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => {
    const key = `pg_type:${row.oid}`;
    const sql = `CREATE TYPE ${quoteTable(row)} AS RANGE (${rangeOptions(row).join(', ')})`;
    return {
      key,
      section: 'pre-data',
      kind: 'range type',
      schema: row.schema,
      name: row.name,
      table: null,
      sql,
      target: `TYPE ${quoteTable(row)}`,
      // Its functions need the type, of which a shell is enough for them.
      parts: [{ key: `${key}/definition`, kind: 'range type', name: row.name, sql, covers: [key] }],
      without: () => `CREATE TYPE ${quoteTable(row)}`,
    };
  });
};

function rangeOptions(row: RangeRow): string[] {
  const options = [
    `SUBTYPE = ${row.subtype}`,
    `SUBTYPE_OPCLASS = ${quoteTable({ schema: row.operators_schema, name: row.operators })}`,
  ];
  if (row.collation !== null && row.collation_schema !== null) {
    options.push(`COLLATION = ${quoteTable({ schema: row.collation_schema, name: row.collation })}`);
  }
  if (row.canonical !== null) options.push(`CANONICAL = ${row.canonical}`);
  if (row.difference !== null) options.push(`SUBTYPE_DIFF = ${row.difference}`);
  if (row.multirange !== null) {
    options.push(`MULTIRANGE_TYPE_NAME = ${quoteIdentifier(row.schema)}.${quoteIdentifier(row.multirange)}`);
  }
  return options;
}
