import { quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface ConversionRow {
  oid: string;
  schema: string;
  name: string;
  is_default: string;
  from: string;
  to: string;
  function: string;
}

export const readConversions: KindReader = async ({ client }) => {
  const { rows } = await client.query<ConversionRow>(
    `SELECT c.oid, n.nspname AS schema, c.conname AS name, c.condefault AS is_default,
      pg_encoding_to_char(c.conforencoding) AS "from", pg_encoding_to_char(c.contoencoding) AS "to",
      c.conproc::text AS function
    FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE ${inUserSchema('pg_conversion', 'c.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map((row) => {
    const encodings = `FOR ${quoteLiteral(row.from)} TO ${quoteLiteral(row.to)}`;
    return {
      key: `pg_conversion:${row.oid}`,
      section: 'pre-data',
      kind: 'conversion',
      schema: row.schema,
      name: row.name,
      table: null,
      sql: `CREATE ${row.is_default === 't' ? 'DEFAULT ' : ''}CONVERSION ${quoteTable(row)} ${encodings} FROM ${row.function}`,
      target: `CONVERSION ${quoteTable(row)}`,
    };
  });
};
