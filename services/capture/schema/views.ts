import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { ColumnRow } from './columns.ts';
import { columnSettings, columnType, readColumns } from './columns.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import { storageOptions, withClause } from './options.ts';
import { inUserSchema } from './user-objects.ts';

interface ViewRow {
  oid: string;
  schema: string;
  name: string;
  materialized: string;
  filled: string;
  query: string;
  rule_oid: string;
  /** Other than check_option, as JSON. */
  options: string;
  check_option: string | null;
  access_method: string | null;
}

function viewsSql(version: number): string {
  const accessMethod = `(SELECT m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap')`;
  return `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind = 'm' AS materialized, c.relispopulated AS filled,
    pg_get_viewdef(c.oid) AS query, r.oid AS rule_oid,
    (SELECT coalesce(json_agg(o), '[]') FROM unnest(c.reloptions) o WHERE o NOT LIKE 'check\\_option=%') AS options,
    (SELECT upper(split_part(o, '=', 2)) FROM unnest(c.reloptions) o WHERE o LIKE 'check\\_option=%') AS check_option,
    ${version >= 120_000 ? accessMethod : 'NULL'} AS access_method
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
  WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND ${inUserSchema('pg_class', 'c.oid')}
  ORDER BY 2, 3`;
}

/** Views and materialized views; these are empty until the rows of the tables are there. */
export const readViews: KindReader = async ({ client, version }) => {
  const { rows } = await client.query<ViewRow>(viewsSql(version));
  const columns = await readColumns(
    client,
    version,
    rows.map(({ oid }) => oid),
  );
  return rows.flatMap((row) => {
    const own = columns.get(row.oid) ?? [];
    if (row.materialized === 't') return [materializedView(row, own), ...refresh(row)];
    return [view(row, own), ...columnDefaults(row, own)];
  });
};

function view(row: ViewRow, columns: readonly ColumnRow[]): DescribedObject {
  const { schema, name } = row;
  const check = row.check_option === null ? '' : ` WITH ${row.check_option} CHECK OPTION`;
  const definition = `VIEW ${quoteTable(row)}${withClause(row.options)} AS ${queryOf(row)}${check}`;
  const shown = columns.map((column) => `NULL::${columnType(column)} AS ${quoteIdentifier(column.name)}`);
  return {
    ...described(row, 'view'),
    sql: `CREATE ${definition}`,
    // Where its query needs what needs the view, the view has its columns first.
    parts: [{ key: `pg_rewrite:${row.rule_oid}`, kind: 'view query', name, sql: `CREATE OR REPLACE ${definition}` }],
    without: () => `CREATE VIEW ${quoteTable({ schema, name })} AS SELECT ${shown.join(', ')}`,
  };
}

function materializedView(row: ViewRow, columns: readonly ColumnRow[]): DescribedObject {
  const using = row.access_method === null ? '' : ` USING ${quoteIdentifier(row.access_method)}`;
  const target = `MATERIALIZED VIEW ${quoteTable(row)}`;
  const settings = columns.flatMap((column) => [
    ...columnSettings(column, { inherited: false, notNull: false }),
    ...(column.options === null
      ? []
      : [`ALTER COLUMN ${quoteIdentifier(column.name)} SET (${storageOptions(column.options)})`]),
  ]);
  const create = `CREATE ${target}${using}${withClause(row.options)} AS ${queryOf(row)} WITH NO DATA`;
  return {
    ...described(row, 'materialized view'),
    sql: [create, ...settings.map((setting) => `ALTER ${target} ${setting}`)].join('; '),
  };
}

/** In the order in which they need each other. */
function refresh(row: ViewRow): DescribedObject[] {
  if (row.filled !== 't') return [];
  const { key, schema, name } = described(row, 'materialized view');
  const sql = `REFRESH MATERIALIZED VIEW ${quoteTable(row)}`;
  return [{ key: `${key}/refresh`, section: 'post-data', kind: 'refresh', schema, name, table: null, sql, of: key }];
}

function columnDefaults(row: ViewRow, columns: readonly ColumnRow[]): DescribedObject[] {
  const { key: of, schema } = described(row, 'view');
  return columns.flatMap(({ name, expression, expression_oid: oid }): DescribedObject[] => {
    if (expression === null) return [];
    const sql = `ALTER VIEW ${quoteTable(row)} ALTER COLUMN ${quoteIdentifier(name)} SET DEFAULT ${expression}`;
    return [{ key: `pg_attrdef:${oid}`, section: 'pre-data', kind: 'default', schema, name, table: null, sql, of }];
  });
}

function queryOf({ query }: ViewRow): string {
  return query.trim().replace(/;$/, '');
}

function described(row: ViewRow, kind: string): Omit<DescribedObject, 'sql'> {
  const { oid, schema, name } = row;
  const target = `${kind.toUpperCase()} ${quoteTable(row)}`;
  return { key: `pg_class:${oid}`, section: 'pre-data', kind, schema, name, table: null, target };
}
