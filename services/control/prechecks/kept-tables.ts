import type pg from 'pg';
import { quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { actingOn, type SuspendedAction } from '../../../shared/postgres/suspended-actions.ts';
import type { Task } from '../../../shared/task/task.ts';
import { type PrecheckContext, type Problem, precheck, type SourceTable, someNames } from './finding.ts';
import { mayReplicate } from './may-replicate.ts';

/** A selected table that is at the destination already. */
interface KeptTable extends TableName {
  readonly owned: boolean;
  /** May read and write its rows. */
  readonly writable: boolean;
  readonly rowSecurity: boolean;
  /** Names of foreign keys of it and to it. */
  readonly foreignKeys: readonly string[];
  /** Columns that the source lacks and that no value comes into by itself. */
  readonly unfilled: readonly string[];
  /** A unique index stands behind the row key; null: the table has none. */
  readonly unique: boolean | null;
}

interface Facts {
  readonly tables: readonly KeptTable[];
  readonly actions: readonly SuspendedAction[];
  readonly replicaRole: boolean;
}

/** Tables that others made: rows of the source must fit in, and nothing may act on them a second time. */
export const keptTables = precheck({
  name: 'tables that are at the destination already',
  when: (task) => task.types.has('full') || task.types.has('incremental'),
  look: async (context): Promise<Facts> => {
    const replicaRole = await mayReplicate(context.destination);
    const tables = await readTables(context);
    return { tables, actions: await actingOn(context.destination, tables, replicaRole), replicaRole };
  },
  judge: ({ tables, actions, replicaRole }, task) => [
    ...refusals(tables),
    ...actingProblems(tables, actions),
    ...(replicaRole ? [] : foreignKeyProblems(tables)),
    ...columnProblems(tables),
    ...keyProblems(tables, task),
  ],
});

const names = (tables: readonly TableName[]) => someNames(tables.map(tableKey));

function refusals(tables: readonly KeptTable[]): Problem[] {
  const closed = tables.filter(({ writable }) => !writable);
  const hidden = tables.filter(({ rowSecurity }) => rowSecurity);
  const problems: Problem[] = [];
  if (closed.length > 0) {
    const message = `the destination account may not read and write ${names(closed)}`;
    const remedy = 'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE on them to the account.';
    problems.push({ code: 'POSTGRES_PERMISSION_DENIED', message, remedy });
  }
  if (hidden.length > 0) {
    const message = `row security applies to the destination account on ${names(hidden)}`;
    const remedy = 'Use an account with BYPASSRLS, or the owner of the tables without FORCE ROW LEVEL SECURITY.';
    problems.push({ code: 'POSTGRES_PERMISSION_DENIED', message, remedy });
  }
  return problems;
}

function actingProblems(tables: readonly KeptTable[], actions: readonly SuspendedAction[]): Problem[] {
  const owned = new Set(tables.filter((table) => table.owned).map(tableKey));
  const all = actions.map((action) => ({ ...action, key: tableKey({ schema: action.schema, name: action.table }) }));
  const stay = all.filter(({ key }) => tables.some((table) => tableKey(table) === key) && !owned.has(key));
  if (stay.length === 0) return [];
  const list = someNames(stay.map(({ kind, name, key }) => `${kind} ${name} of ${key}`));
  return [
    {
      code: 'POSTGRES_PERMISSION_DENIED',
      message: `would act on replicated rows, and the destination account may not suspend it: ${list}`,
      remedy: 'Make the account a member of the owning role, or disable them until cutover.',
    },
  ];
}

/** Without replica role they are checked statement by statement, and their actions run a second time. */
function foreignKeyProblems(tables: readonly KeptTable[]): Problem[] {
  const found = [...new Set(tables.flatMap(({ foreignKeys }) => foreignKeys))];
  if (found.length === 0) return [];
  return [
    {
      code: 'POSTGRES_PERMISSION_DENIED',
      message: `foreign keys would act on replicated rows: ${someNames(found)}`,
      remedy: 'GRANT SET ON PARAMETER session_replication_role (15+) to the account, or drop them until cutover.',
    },
  ];
}

function columnProblems(tables: readonly KeptTable[]): Problem[] {
  const unfilled = tables.flatMap((table) => table.unfilled.map((name) => `${tableKey(table)}.${name}`));
  if (unfilled.length === 0) return [];
  return [
    {
      code: 'DESTINATION_TABLE_MISSING',
      message: `the source lacks columns that are NOT NULL and have no default at the destination: ${someNames(unfilled)}`,
      remedy: 'Give them a default, or let them be NULL.',
    },
  ];
}

function keyProblems(tables: readonly KeptTable[], task: Task): Problem[] {
  // With schema migration the key comes after the rows.
  const bare = task.types.has('schema') ? [] : tables.filter(({ unique }) => unique === false);
  if (bare.length === 0) return [];
  return [
    {
      severity: 'warning',
      code: 'PRECHECK_FAILED',
      message: `no unique index stands behind the row key at the destination: ${names(bare)}`,
      remedy: 'Create the primary key there: without it each change scans the table.',
    },
  ];
}

const tableSql = `
  SELECT pg_has_role(c.relowner, 'USAGE')::text AS owned, row_security_active(c.oid)::text AS row_security,
    (has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
      AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
      AND has_table_privilege(c.oid, 'DELETE') AND has_table_privilege(c.oid, 'TRUNCATE'))::text AS writable,
    (SELECT coalesce(json_agg(conname), '[]') FROM pg_catalog.pg_constraint
      WHERE contype = 'f' AND c.oid IN (conrelid, confrelid)) AS foreign_keys,
    (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef
        AND a.attidentity = '' AND a.attname <> ALL ($3::text[])) AS unfilled,
    EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)) = $4::text[])::text AS is_unique
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`;

/** Most often none of very many: they are looked for together. */
const thereSql = `
  SELECT n.nspname AS schema, c.relname AS name FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name`;

async function readTables({ destination, tables }: PrecheckContext): Promise<KeptTable[]> {
  const wanted = [tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
  const { rows } = await destination.query<{ schema: string; name: string }>(thereSql, wanted);
  const there = new Set(rows.map(tableKey));
  const kept: KeptTable[] = [];
  for (const table of tables) {
    const found = there.has(tableKey(table)) ? await readTable(destination, table) : null;
    if (found) kept.push(found);
  }
  return kept;
}

async function readTable(destination: pg.Client, table: SourceTable): Promise<KeptTable | null> {
  const { schema, name, selected } = table;
  const columns = selected.shape.columns.map((column) => column.name);
  const key = selected.shape.columns.filter((column) => column.key).map((column) => column.name);
  const { rows } = await destination.query<Record<string, string>>(tableSql, [schema, name, columns, key.sort()]);
  const [row] = rows;
  if (!row) return null;
  return {
    schema,
    name,
    owned: row['owned'] === 'true',
    writable: row['writable'] === 'true',
    rowSecurity: row['row_security'] === 'true',
    foreignKeys: (JSON.parse(row['foreign_keys'] ?? '[]') as string[]).map((one) => `${one} of ${quoteTable(table)}`),
    unfilled: JSON.parse(row['unfilled'] ?? '[]') as string[],
    unique: key.length === 0 ? null : row['is_unique'] === 'true',
  };
}
