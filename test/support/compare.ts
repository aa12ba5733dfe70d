import { createHash } from 'node:crypto';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/**
 * Judges whether two databases hold the same rows, by COPY (SELECT ... ORDER BY key) TO STDOUT through sha256.
 * Knows nothing of Sluice and uses none of its code.
 */

export interface CompareOptions {
  /** Default: all but the bookkeeping's. */
  readonly schemas?: readonly string[];
  /** `schema.table`; default: all. */
  readonly tables?: readonly string[];
  /** Exported snapshot of the source to read under. */
  readonly sourceSnapshot?: string;
}

export interface Content {
  readonly rows: number;
  readonly sha256: string;
}

export interface TableComparison {
  /** `schema.table` as SQL writes it. */
  readonly table: string;
  readonly equal: boolean;
  /** null: the table is not there. */
  readonly source: Content | null;
  readonly destination: Content | null;
  /** Some lines of COPY that only one end has; `-` source, `+` destination. */
  readonly differences: readonly string[];
}

interface Table {
  readonly name: string;
  readonly select: string;
}

/** What follows from the two databases, table by table; all tables of both. */
export async function compareDatabases(
  sourceUrl: string,
  destinationUrl: string,
  options: CompareOptions = {},
): Promise<TableComparison[]> {
  const source = await openSnapshot(sourceUrl, options.sourceSnapshot);
  try {
    const destination = await openSnapshot(destinationUrl);
    try {
      const [from, to] = await Promise.all([shortestFloats(source), shortestFloats(destination)]);
      const how = { ...options, floatsAsBytes: from !== to };
      const [left, right] = await Promise.all([tablesOf(source, how), tablesOf(destination, how)]);
      const names = [...new Set([...left.keys(), ...right.keys()])].sort();
      const results: TableComparison[] = [];
      for (const name of names) {
        results.push(await compareTable([source, left.get(name)], [destination, right.get(name)], name));
      }
      return results;
    } finally {
      await destination.end();
    }
  } finally {
    await source.end();
  }
}

/** Throws, naming tables and lines, unless both ends hold the same rows; gives the rows compared. */
export async function expectEqualDatabases(
  sourceUrl: string,
  destinationUrl: string,
  options: CompareOptions = {},
): Promise<number> {
  const results = await compareDatabases(sourceUrl, destinationUrl, options);
  const different = results.filter(({ equal }) => !equal);
  if (different.length > 0) throw new Error(`source and destination differ:\n${different.map(describe).join('\n')}`);
  if (results.length === 0) throw new Error('there is no table to compare');
  return results.reduce((sum, { source }) => sum + (source?.rows ?? 0), 0);
}

function describe({ table, source, destination, differences }: TableComparison): string {
  const rows = `${source?.rows ?? 'no table'} rows at the source, ${destination?.rows ?? 'no table'} at the destination`;
  return [`${table}: ${rows}`, ...differences.map((line) => `  ${line}`)].join('\n');
}

/** All values written the same way, no row hidden, one snapshot for all tables. */
async function openSnapshot(url: string, snapshot?: string): Promise<pg.Client> {
  const settings = {
    search_path: '',
    row_security: 'off',
    DateStyle: 'ISO',
    IntervalStyle: 'postgres',
    TimeZone: 'UTC',
    extra_float_digits: '3',
    bytea_output: 'hex',
    lc_monetary: 'C',
    xmloption: 'content',
    array_nulls: 'on',
    quote_all_identifiers: 'off',
    statement_timeout: '0',
  };
  const startup = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const client = new pg.Client({
    connectionString: url,
    options: startup.join(' '),
    application_name: 'sluice compare',
  });
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  if (snapshot) await client.query(`SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(snapshot)}`);
  return client;
}

/** Before 12 a float is written with all its digits, from 12 on with as few as tell it apart. */
async function shortestFloats(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(`SELECT current_setting('server_version_num')::int >= 120000 AS shortest`);
  return (rows as { shortest: boolean }[])[0]?.shortest ?? false;
}

/** Types that hold floats. */
const floatTypes = ['float4', 'float8', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'];

/**
 * Columns by name, so that another order of them is no difference; rows by primary key, else by the whole row.
 * The text form under collation "C" sorts the same on every server.
 */
async function tablesOf(
  client: pg.Client,
  { schemas, tables, floatsAsBytes }: CompareOptions & { readonly floatsAsBytes: boolean },
): Promise<Map<string, Table>> {
  const floats = floatsAsBytes ? floatTypes.flatMap((type) => [type, `_${type}`]) : [];
  const value = `CASE WHEN t.typname = ANY ($3) AND t.typnamespace = 'pg_catalog'::regnamespace
              THEN format('%s(%I)', t.typsend, a.attname) ELSE quote_ident(a.attname) END`;
  const { rows } = await client.query<{ name: string; columns: string; key: string | null }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name,
            string_agg(${value}, ', ' ORDER BY a.attname) AS columns,
            string_agg(${value} || '::text COLLATE "C"', ', ' ORDER BY a.attname)
              FILTER (WHERE a.attnum = ANY (i.indkey)) AS key
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
      WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND CASE WHEN $1::text[] IS NULL THEN n.nspname <> 'sluice' ELSE n.nspname = ANY ($1) END
        AND ($2::text[] IS NULL OR n.nspname || '.' || c.relname = ANY ($2))
      GROUP BY 1`,
    [schemas ?? null, tables ?? null, floats],
  );
  return new Map(
    rows.map(({ name, columns, key }) => {
      const order = key ?? `ROW(${columns})::text COLLATE "C"`;
      return [name, { name, select: `COPY (SELECT ${columns} FROM ONLY ${name} ORDER BY ${order}) TO STDOUT` }];
    }),
  );
}

type Side = readonly [client: pg.Client, table: Table | undefined];

async function compareTable(source: Side, destination: Side, table: string): Promise<TableComparison> {
  const [left, right] = await Promise.all([contentOf(source), contentOf(destination)]);
  const sameColumns = source[1]?.select === destination[1]?.select;
  const equal = left !== null && right !== null && left.sha256 === right.sha256 && sameColumns;
  const differences = equal || !left || !right ? [] : await someDifferences(source, destination);
  return { table, equal, source: left, destination: right, differences };
}

async function contentOf([client, table]: Side): Promise<Content | null> {
  if (!table) return null;
  const hash = createHash('sha256');
  let rows = 0;
  // COPY writes a line feed inside a value as \n: each byte 10 ends a row.
  for await (const data of client.query(copyTo(table.select)) as AsyncIterable<Buffer>) {
    hash.update(data);
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) rows++;
  }
  return { rows, sha256: hash.digest('hex') };
}

async function someDifferences(source: Side, destination: Side): Promise<string[]> {
  if (source[1]?.select !== destination[1]?.select) return [`- ${source[1]?.select}`, `+ ${destination[1]?.select}`];
  const [left, right] = await Promise.all([linesOf(source), linesOf(destination)]);
  const only = (some: string[], others: string[], sign: string) => {
    const known = new Set(others);
    return some
      .filter((line) => !known.has(line))
      .slice(0, 5)
      .map((line) => `${sign} ${line.slice(0, 300)}`);
  };
  return [...only(left, right, '-'), ...only(right, left, '+')];
}

async function linesOf([client, table]: Side): Promise<string[]> {
  const parts: Buffer[] = [];
  for await (const data of client.query(copyTo(table?.select ?? '')) as AsyncIterable<Buffer>) parts.push(data);
  return Buffer.concat(parts).toString().trimEnd().split('\n');
}
