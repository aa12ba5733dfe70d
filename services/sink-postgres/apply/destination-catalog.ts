import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import type { DestinationColumn, DestinationTable, UniqueKey } from './target.ts';

/**
 * Types whose texts never need quotes inside an array, by oid:
 * bool, int8, int2, int4, oid, float4, float8, numeric, uuid.
 */
const plainTypes = new Set(['16', '20', '21', '23', '26', '700', '701', '1700', '2950']);

interface ColumnRow {
  name: string;
  type: string;
  base: string;
  base_oid: string;
  unnests: string;
  delimiter: string;
  domain: string;
  generated: string;
}

/** A domain's base type is found through domains over domains; `unnests`: has an array type, and is neither
 * an array nor a composite, which unnest takes apart. */
const columnsQuery = (version: number) => `
  WITH RECURSIVE column_type AS (
    SELECT a.attnum, a.atttypid AS oid FROM pg_attribute a
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT c.attnum, t.typbasetype FROM column_type c JOIN pg_type t ON t.oid = c.oid WHERE t.typtype = 'd'
  )
  SELECT a.attname AS name, format_type(a.atttypid, -1) AS type, format_type(b.oid, -1) AS base, b.oid AS base_oid,
    NOT (b.typelem <> 0 AND b.typlen = -1) AND b.typtype <> 'c' AND b.typarray <> 0 AS unnests, b.typdelim AS delimiter, t.typtype = 'd' AS domain,
    ${version >= 120_000 ? `a.attgenerated <> ''` : 'false'} AS generated
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN column_type c ON c.attnum = a.attnum
  JOIN pg_type b ON b.oid = c.oid AND b.typtype <> 'd'
  WHERE a.attrelid = $1
  ORDER BY a.attnum`;

const uniqueKeysQuery = (version: number) => `
  SELECT array_to_json(array_agg(a.attname ORDER BY k.n)) AS columns,
    array_to_json(array_agg(
      coalesce((SELECT format('COLLATE %I.%I ', cn.nspname, l.collname)
        FROM pg_collation l JOIN pg_namespace cn ON cn.oid = l.collnamespace
        WHERE l.oid = k.coll AND l.oid <> a.attcollation), '')
      || format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY k.n)) AS equals
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) WITH ORDINALITY
    AS k(attnum, opclass, coll, n)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  JOIN pg_opclass c ON c.oid = k.opclass
  JOIN pg_amop s ON s.amopfamily = c.opcfamily AND s.amopstrategy = 3
    AND s.amoplefttype = c.opcintype AND s.amoprighttype = c.opcintype
  JOIN pg_operator o ON o.oid = s.amopopr
  JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND k.n <= ${version >= 110_000 ? 'i.indnkeyatts' : 'i.indnatts'}
  GROUP BY i.indexrelid, i.indisprimary
  ORDER BY i.indisprimary DESC, i.indexrelid`;

/** @throws SluiceError DESTINATION_TABLE_MISSING */
export async function readDestinationTable(client: pg.Client, table: TableName): Promise<DestinationTable> {
  const version = await serverVersion(client);
  const found = await client.query<{ oid: string; relkind: string }>(
    `SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`,
    [table.schema, table.name],
  );
  const [relation] = found.rows;
  if (!relation) {
    throw new SluiceError('DESTINATION_TABLE_MISSING', `table ${quoteTable(table)} is missing at the destination`);
  }
  // With names they are planned once, which is most of their work: there may be thousands of tables.
  const values = [relation.oid];
  const columns = await client.query<ColumnRow>({
    name: 'sluice-table-columns',
    text: columnsQuery(version),
    values,
  });
  const keys = await client.query<{ columns: string; equals: string }>({
    name: 'sluice-unique-keys',
    text: uniqueKeysQuery(version),
    values,
  });
  return {
    schema: table.schema,
    name: table.name,
    partitioned: relation.relkind === 'p',
    columns: columns.rows.map(toColumn),
    uniqueKeys: keys.rows.map(toUniqueKey),
  };
}

function toColumn(row: ColumnRow): DestinationColumn {
  return {
    name: row.name,
    type: row.type,
    element: row.unnests === 't' ? row.base : null,
    delimiter: row.delimiter,
    plain: plainTypes.has(row.base_oid),
    domain: row.domain === 't',
    generated: row.generated === 't',
  };
}

function toUniqueKey({ columns, equals }: { columns: string; equals: string }): UniqueKey {
  return { columns: JSON.parse(columns) as string[], equals: JSON.parse(equals) as string[] };
}
