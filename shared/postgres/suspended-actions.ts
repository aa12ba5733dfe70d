import type pg from 'pg';
import { sqlstate } from './failure.ts';
import { quoteIdentifier, quoteTable, type TableName } from './identifiers.ts';

/**
 * What a destination's tables do by themselves when rows are written: triggers and rules, which would act a second
 * time on what the source's did already, and identity columns GENERATED ALWAYS, which refuse an update. All of it is
 * suspended while a sink writes, and remembered in `sluice.suspended` in the same transaction.
 */
export interface SuspendedAction {
  readonly schema: string;
  readonly table: string;
  readonly kind: 'trigger' | 'rule' | 'identity';
  readonly name: string;
  /** tgenabled or ev_enabled as it was: O(rigin), A(lways), R(eplica); of an identity column a(lways). */
  readonly state: string;
}

/** Whose bookkeeping: one sink of one task. */
interface Owner {
  readonly task: string;
  readonly sink: string;
}

const actingSql = `
  WITH RECURSIVE written AS (
    SELECT c.oid, c.relkind FROM unnest($1::text[], $2::text[]) AS t(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind IN ('r', 'p')
    UNION
    SELECT c.oid, c.relkind FROM written w JOIN pg_catalog.pg_inherits i ON i.inhparent = w.oid AND w.relkind = 'p'
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid),
  acting AS (
    SELECT tgrelid AS oid, 'trigger' AS kind, tgname AS name, tgenabled AS state FROM pg_catalog.pg_trigger
    WHERE (NOT tgisinternal OR tgconstraint = 0) AND tgenabled::text = ANY ($3::text[])
    UNION ALL
    SELECT ev_class, 'rule', rulename, ev_enabled FROM pg_catalog.pg_rewrite
    WHERE rulename <> '_RETURN' AND ev_enabled::text = ANY ($3::text[])
    UNION ALL
    SELECT a.attrelid, 'identity', a.attname, a.attidentity FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.attidentity = 'a' AND NOT a.attisdropped AND NOT c.relispartition)
  SELECT n.nspname AS schema, c.relname AS "table", a.kind, a.name, a.state
  FROM acting a JOIN written USING (oid) JOIN pg_catalog.pg_class c USING (oid)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  ORDER BY c.relkind = 'p' DESC, 1, 2, 3, 4`;

/** What acts on rows written to the tables, or to partitions of them. `replicaRole`: of the session that writes. */
export async function actingOn(
  client: pg.Client,
  tables: readonly TableName[],
  replicaRole: boolean,
): Promise<SuspendedAction[]> {
  const states = replicaRole ? ['A', 'R'] : ['O', 'A'];
  const names = [tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
  return (await client.query<SuspendedAction & pg.QueryResultRow>(actingSql, [...names, states])).rows;
}

/** Suspends what acts on the tables; returns it. What an earlier attempt suspended stays remembered. */
export async function suspendActions(
  client: pg.Client,
  { task, sink }: Owner,
  { tables, replicaRole }: { readonly tables: readonly TableName[]; readonly replicaRole: boolean },
): Promise<SuspendedAction[]> {
  await client.query('BEGIN');
  try {
    const actions = await actingOn(client, tables, replicaRole);
    for (const action of actions) {
      await client.query(suspending(action));
      await client.query(
        `INSERT INTO sluice.suspended (task, sink, schema_name, table_name, kind, name, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (task, sink, schema_name, table_name, kind, name) DO UPDATE SET state = excluded.state`,
        [task, sink, action.schema, action.table, action.kind, action.name, action.state],
      );
    }
    await client.query('COMMIT');
    return actions;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

export async function readSuspended(client: pg.Client, { task, sink }: Owner): Promise<SuspendedAction[]> {
  const found = await client.query(`SELECT 1 WHERE to_regclass('sluice.suspended') IS NOT NULL`);
  if (found.rows.length === 0) return [];
  const { rows } = await client.query<SuspendedAction & pg.QueryResultRow>(
    `SELECT schema_name AS schema, table_name AS "table", kind, name, state FROM sluice.suspended
     WHERE task = $1 AND sink = $2 ORDER BY 1, 2, 3, 4`,
    [task, sink],
  );
  return rows;
}

/** Undefined object, table, column; a column that is no identity column any more. */
const goneStates = new Set(['42704', '42P01', '42703', '55000']);

/** Puts all of it back as it was, in one transaction; what somebody dropped meanwhile is passed over. */
export async function restoreActions(client: pg.Client, owner: Owner): Promise<SuspendedAction[]> {
  const actions = await readSuspended(client, owner);
  if (actions.length === 0) return [];
  await client.query('BEGIN');
  try {
    for (const action of actions) {
      await client.query('SAVEPOINT action');
      try {
        await client.query(restoring(action));
      } catch (error) {
        if (!goneStates.has(sqlstate(error) ?? '')) throw error;
        await client.query('ROLLBACK TO SAVEPOINT action');
      }
    }
    await client.query('DELETE FROM sluice.suspended WHERE task = $1 AND sink = $2', [owner.task, owner.sink]);
    await client.query('COMMIT');
    return actions;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

function suspending({ kind, name, ...table }: SuspendedAction): string {
  const alter = `ALTER TABLE ONLY ${nameOf(table)}`;
  if (kind === 'identity') return `${alter} ALTER COLUMN ${quoteIdentifier(name)} SET GENERATED BY DEFAULT`;
  return `${alter} DISABLE ${kind.toUpperCase()} ${quoteIdentifier(name)}`;
}

const enabling: Readonly<Record<string, string>> = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' };

function restoring({ kind, name, state, ...table }: SuspendedAction): string {
  const alter = `ALTER TABLE ONLY ${nameOf(table)}`;
  if (kind === 'identity') return `${alter} ALTER COLUMN ${quoteIdentifier(name)} SET GENERATED ALWAYS`;
  return `${alter} ${enabling[state]} ${kind.toUpperCase()} ${quoteIdentifier(name)}`;
}

function nameOf({ schema, table }: Pick<SuspendedAction, 'schema' | 'table'>): string {
  return quoteTable({ schema, name: table });
}
