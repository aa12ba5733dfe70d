import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { migratesSchema, precheck, type SourceTable, someNames, streams } from './finding.ts';
import { mayReplicate } from './may-replicate.ts';

export const destinationVersion = precheck({
  name: 'version of the destination',
  look: async ({ source, destination }) => {
    const sql = `SELECT current_setting('server_version_num')::int / 10000 AS major`;
    const [from, to] = await Promise.all([source.query(sql), destination.query(sql)]);
    return { source: Number(from.rows[0]?.major), destination: Number(to.rows[0]?.major) };
  },
  judge: ({ source, destination }) =>
    destination >= source
      ? []
      : [{ code: 'DESTINATION_OLDER', message: `the destination is PostgreSQL ${destination}, the source ${source}` }],
});

export const destinationServer = precheck({
  name: 'destination database',
  look: async ({ destination }) => {
    const { rows } = await destination.query(`SELECT current_user AS account, current_database() AS database,
      getdatabaseencoding() AS encoding, pg_is_in_recovery()::text AS standby,
      (has_database_privilege(current_database(), 'CREATE')
         OR has_schema_privilege((SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'sluice'), 'CREATE'))::text AS may`);
    return rows[0] as { account: string; database: string; encoding: string; standby: string; may: string | null };
  },
  judge: ({ account, database, encoding, standby, may }) => {
    const problems = [];
    if (standby !== 'false') {
      const remedy = 'Use the primary as the destination.';
      problems.push({
        code: 'PRECHECK_FAILED',
        message: 'the destination is a standby, which is read-only',
        remedy,
      } as const);
    }
    if (encoding !== 'UTF8') {
      const remedy = `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.`;
      const message = `the destination database has encoding ${encoding}, not UTF8`;
      problems.push({ code: 'PRECHECK_FAILED', message, remedy } as const);
    }
    if (may !== 'true') {
      const remedy = `GRANT CREATE ON DATABASE "${database}" TO "${account}" on the destination.`;
      const message = `the destination account ${account} may not create schemas in database ${database}`;
      problems.push({ code: 'POSTGRES_PERMISSION_DENIED', message, remedy } as const);
    }
    return problems;
  },
});

/** Columns that came with later versions are read through JSON: 15 brought the provider, 17 the locale's last name. */
const collationSql = `SELECT concat_ws(' ', nullif(to_jsonb(d) ->> 'datlocprovider', 'c'),
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate)) AS collation
  FROM pg_catalog.pg_database d WHERE d.datname = current_database()`;

export const destinationCollation = precheck({
  name: 'collation of the databases',
  look: async ({ source, destination }) => {
    const [from, to] = await Promise.all([source.query(collationSql), destination.query(collationSql)]);
    return { source: String(from.rows[0]?.collation), destination: String(to.rows[0]?.collation) };
  },
  judge: ({ source, destination }) =>
    source === destination
      ? []
      : [
          {
            severity: 'warning',
            code: 'PRECHECK_FAILED',
            message: `the source database sorts text by ${source}, the destination by ${destination}`,
            remedy: 'Values are the same; their order, and so partitions by ranges of text, may differ.',
          },
        ],
});

interface DestinationTable {
  readonly table: SourceTable;
  /** null: it does not exist. */
  readonly columns: readonly string[] | null;
}

export const destinationTables = precheck({
  name: 'tables at the destination',
  when: (task) => !migratesSchema(task),
  look: async ({ destination, tables }): Promise<DestinationTable[]> => {
    const { rows } = await destination.query<{ schema: string; name: string; columns: string }>(
      `SELECT n.nspname AS schema, c.relname AS name,
              coalesce(json_agg(a.attname) FILTER (WHERE a.attname IS NOT NULL), '[]')::text AS columns
       FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
       JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       GROUP BY 1, 2`,
      [tables.map((table) => table.schema), tables.map((table) => table.name)],
    );
    const found = new Map(rows.map((row) => [tableKey(row), JSON.parse(row.columns) as string[]]));
    return tables.map((table) => ({ table, columns: found.get(tableKey(table)) ?? null }));
  },
  judge: judgePresent,
});

function judgePresent(tables: readonly DestinationTable[]) {
  const missing = tables.flatMap(({ table, columns }) => {
    if (columns === null) return [tableKey(table)];
    const lacking = table.selected.shape.columns.filter(({ name }) => !columns.includes(name)).map(({ name }) => name);
    return lacking.length === 0 ? [] : [`${tableKey(table)} (${lacking.join(', ')})`];
  });
  if (missing.length === 0) return [];
  return [{ code: 'DESTINATION_TABLE_MISSING', message: `missing at the destination: ${someNames(missing)}` }] as const;
}

/** Without schema migration rows would be added to what is there. */
export const destinationEmpty = precheck({
  name: 'destination tables are empty',
  when: (task) => !migratesSchema(task) && task.types.has('full') && task.existing === 'precheck',
  look: async ({ destination, tables }) => {
    const filled: string[] = [];
    for (const table of tables) {
      const { rows } = await destination.query('SELECT to_regclass($1) IS NOT NULL AS exists', [tableKey(table)]);
      if (rows[0]?.exists !== 't') continue;
      const found = await destination.query(`SELECT 1 FROM ${tableKey(table)} LIMIT 1`);
      if (found.rows.length > 0) filled.push(tableKey(table));
    }
    return filled;
  },
  judge: (filled) =>
    filled.length === 0
      ? []
      : [
          {
            code: 'DESTINATION_TABLE_NOT_EMPTY',
            message: `destination tables hold rows already: ${someNames(filled)}`,
            remedy: 'TRUNCATE them, or run without the full migration type.',
          },
        ],
});

export const replicaRole = precheck({
  name: 'session_replication_role',
  when: streams,
  look: ({ destination }) => mayReplicate(destination),
  judge: (permitted) =>
    permitted
      ? []
      : [
          {
            severity: 'warning',
            code: 'POSTGRES_PERMISSION_DENIED',
            message:
              'the destination account may not set session_replication_role: foreign keys and triggers are absent until cutover',
            remedy: 'GRANT SET ON PARAMETER session_replication_role (15+), or use a superuser, to have them earlier.',
          },
        ],
});

/** Bookkeeping of an earlier task of this name: its positions belong to other topics. */
export const destinationUnused = precheck({
  name: 'bookkeeping at the destination',
  look: async ({ destination, task }) => {
    const { rows } = await destination.query(`SELECT to_regclass('sluice.position') IS NOT NULL AS exists`);
    if (rows[0]?.exists !== 't') return false;
    const sql = 'SELECT 1 FROM sluice.position WHERE task = $1 AND sink = $2';
    return (await destination.query(sql, [task.name, task.sink.name])).rows.length > 0;
  },
  judge: (used, task) =>
    used
      ? [
          {
            code: 'DESTINATION_OTHER_TASK',
            message: `the destination was filled by an earlier task named ${task.name}, whose topics are gone`,
          },
        ]
      : [],
});
