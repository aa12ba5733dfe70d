import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import type { DestinationColumn, DestinationTable, UniqueKey } from './target.ts';

/**
 * Types whose texts never need quotes inside an array, by oid:
 * bool, int8, int2, int4, oid, float4, float8, numeric, uuid.
 */
const plainTypes = new Set(['16', '20', '21', '23', '26', '700', '701', '1700', '2950']);

interface ColumnRow {
  relation: string;
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
    SELECT a.attrelid, a.attnum, a.atttypid AS oid FROM pg_attribute a
    WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT c.attrelid, c.attnum, t.typbasetype FROM column_type c JOIN pg_type t ON t.oid = c.oid WHERE t.typtype = 'd'
  )
  SELECT a.attrelid AS relation, a.attname AS name, format_type(a.atttypid, -1) AS type, format_type(b.oid, -1) AS base, b.oid AS base_oid,
    NOT (b.typelem <> 0 AND b.typlen = -1) AND b.typtype <> 'c' AND b.typarray <> 0 AS unnests, b.typdelim AS delimiter, t.typtype = 'd' AS domain,
    ${version >= 120_000 ? `a.attgenerated <> ''` : 'false'} AS generated
  FROM column_type c
  JOIN pg_attribute a ON a.attrelid = c.attrelid AND a.attnum = c.attnum
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type b ON b.oid = c.oid AND b.typtype <> 'd'
  ORDER BY a.attrelid, a.attnum`;

const uniqueKeysQuery = (version: number) => `
  SELECT i.indrelid AS relation, array_to_json(array_agg(a.attname ORDER BY k.n)) AS columns,
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
  WHERE i.indrelid = ANY($1::oid[]) AND i.indisunique AND i.indimmediate AND i.indisvalid
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND k.n <= ${version >= 110_000 ? 'i.indnkeyatts' : 'i.indnatts'}
  GROUP BY i.indrelid, i.indexrelid, i.indisprimary
  ORDER BY i.indisprimary DESC, i.indexrelid`;

interface KeyRow {
  relation: string;
  columns: string;
  equals: string;
}

/** By tableKey, those that are there. All at once: there may be thousands. */
export async function readDestinationTables(
  client: pg.Client,
  tables: readonly TableName[],
): Promise<Map<string, DestinationTable>> {
  const version = await serverVersion(client);
  const { rows: relations } = await client.query<TableName & { oid: string; relkind: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, c.oid, c.relkind
     FROM unnest($1::text[], $2::text[]) AS asked(schema, name)
     JOIN pg_namespace n ON n.nspname = asked.schema
     JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name AND c.relkind IN ('r', 'p')`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const oids = [relations.map(({ oid }) => oid)];
  const columns = byRelation((await client.query<ColumnRow>(columnsQuery(version), oids)).rows);
  const keys = byRelation((await client.query<KeyRow>(uniqueKeysQuery(version), oids)).rows);
  return new Map(
    relations.map(({ schema, name, oid, relkind }) => {
      const uniqueKeys = (keys.get(oid) ?? []).map(toUniqueKey);
      const partitioned = relkind === 'p';
      return [
        tableKey({ schema, name }),
        { schema, name, partitioned, columns: (columns.get(oid) ?? []).map(toColumn), uniqueKeys },
      ];
    }),
  );
}

/** @throws SluiceError DESTINATION_TABLE_MISSING */
export async function readDestinationTable(client: pg.Client, table: TableName): Promise<DestinationTable> {
  const found = (await readDestinationTables(client, [table])).get(tableKey(table));
  if (!found) throw missing(table);
  return found;
}

/** Of a table that was asked for and is not there. */
export function missing(table: TableName): SluiceError {
  return new SluiceError('DESTINATION_TABLE_MISSING', `table ${quoteTable(table)} is missing at the destination`);
}

function byRelation<T extends { relation: string }>(rows: readonly T[]): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const row of rows) {
    const known = found.get(row.relation);
    if (known) known.push(row);
    else found.set(row.relation, [row]);
  }
  return found;
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

function toUniqueKey({ columns, equals }: KeyRow): UniqueKey {
  return { columns: JSON.parse(columns) as string[], equals: JSON.parse(equals) as string[] };
}
