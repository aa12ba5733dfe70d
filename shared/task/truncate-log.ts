import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../errors.ts';
import { sqlstate } from '../postgres/failure.ts';
import { quoteIdentifier, quoteTable, type TableName } from '../postgres/identifiers.ts';
import { slotName } from './task.ts';

/**
 * PostgreSQL 10 does not decode TRUNCATE. There each table of a task has a trigger that writes the table's oid to a
 * published log, in the transaction that truncates: the stream has it in its place. The row is deleted at once, so the
 * log stays empty.
 */

/** TRUNCATE is decoded from 11 on. */
export function needsTruncateLog(version: number): boolean {
  return version < 110_000;
}

export const TRUNCATE_LOG: TableName = { schema: 'sluice', name: 'truncate_log' };

/** The triggers' function, which is no user's. */
export const TRUNCATE_LOGGER = 'sluice.log_truncate()';

/** Triggers fire in the order of their names: ours is the last, after those that still write to the tables. */
function triggerName(task: string): string {
  return `~${slotName(task)}`;
}

const logSql = `
  CREATE SCHEMA IF NOT EXISTS sluice;
  CREATE TABLE IF NOT EXISTS sluice.truncate_log (relation oid PRIMARY KEY);
  CREATE OR REPLACE FUNCTION sluice.log_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
  BEGIN
    INSERT INTO sluice.truncate_log VALUES (TG_RELID);
    DELETE FROM sluice.truncate_log WHERE relation = TG_RELID;
    RETURN NULL;
  END $$;
  REVOKE ALL ON FUNCTION sluice.log_truncate() FROM PUBLIC`;

/**
 * Each table's in a transaction of its own; `signal` ends the wait for a table that others write to.
 * @throws SluiceError SOURCE_SLOT_WAIT naming the table
 */
export async function createTruncateTriggers(
  sql: pg.ClientBase,
  task: string,
  { tables, signal }: { readonly tables: readonly TableName[]; readonly signal: AbortSignal },
): Promise<void> {
  const name = quoteIdentifier(triggerName(task));
  await sql.query(logSql);
  for (const table of tables.map(quoteTable)) {
    const statements = `DROP TRIGGER IF EXISTS ${name} ON ${table};
      CREATE TRIGGER ${name} BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE PROCEDURE sluice.log_truncate();
      ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${name}`;
    await locked(sql, { table, statements, signal });
  }
}

/** Of these oids, the tables whose TRUNCATE would not be seen. */
export async function tablesWithoutTrigger(
  sql: pg.ClientBase,
  task: string,
  oids: readonly number[],
): Promise<TableName[]> {
  const { rows } = await sql.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = ANY ($1::oid[]) AND NOT EXISTS (SELECT FROM pg_trigger t
       WHERE t.tgrelid = c.oid AND t.tgname = $2 AND t.tgenabled = 'A')
     ORDER BY 1, 2`,
    [oids, triggerName(task)],
  );
  return rows;
}

/**
 * Removes the task's triggers, and the log when no other task has any. Where there is no log nothing is done.
 * @throws SluiceError SOURCE_SLOT_WAIT naming a table that others held all the time
 */
export async function dropTruncateTriggers(sql: pg.ClientBase, task: string, signal: AbortSignal): Promise<void> {
  const log = await sql.query<{ log: string | null }>('SELECT to_regclass($1) AS log', [quoteTable(TRUNCATE_LOG)]);
  if (log.rows[0]?.log === null) return;
  const { rows } = await sql.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_trigger t
     JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.tgname = $1 AND t.tgfoid = to_regprocedure('${TRUNCATE_LOGGER}')`,
    [triggerName(task)],
  );
  const name = quoteIdentifier(triggerName(task));
  for (const table of rows.map(quoteTable)) {
    await locked(sql, { table, statements: `DROP TRIGGER ${name} ON ${table}`, signal });
  }
  const others = await sql.query(`SELECT FROM pg_trigger WHERE tgfoid = to_regprocedure('${TRUNCATE_LOGGER}') LIMIT 1`);
  if (others.rows.length > 0) return;
  await sql.query('DROP FUNCTION IF EXISTS sluice.log_truncate(); DROP TABLE IF EXISTS sluice.truncate_log');
  await sql.query(`DO $$ BEGIN DROP SCHEMA IF EXISTS sluice; EXCEPTION WHEN dependent_objects_still_exist THEN END $$`);
}

const LOCK_MILLISECONDS = 500;
const WAIT_MILLISECONDS = 500;

interface LockedWork {
  readonly table: string;
  readonly statements: string;
  readonly signal: AbortSignal;
}

/** Those who wait for a lock make others wait behind them: for a short time only, and again after a while. */
async function locked(sql: pg.ClientBase, { table, statements, signal }: LockedWork): Promise<void> {
  let holder = 'others';
  while (!signal.aborted) {
    try {
      await sql.query(`BEGIN; SET LOCAL lock_timeout = ${LOCK_MILLISECONDS}; ${statements}; COMMIT`);
      return;
    } catch (error) {
      await sql.query('ROLLBACK');
      if (sqlstate(error) !== LOCK_NOT_AVAILABLE) throw error;
    }
    holder = (await lockHolder(sql, table)) ?? holder;
    await delay(WAIT_MILLISECONDS, undefined, { signal }).catch(() => undefined);
  }
  throw new SluiceError(
    'SOURCE_SLOT_WAIT',
    `a trigger of table ${table}: waited for ${holder} that holds a lock on it`,
  );
}

/** Who has held a lock on the table for longest. */
async function lockHolder(sql: pg.ClientBase, table: string): Promise<string | undefined> {
  const { rows } = await sql.query<{ pid: string; since: string; name: string }>(
    `SELECT l.pid, a.xact_start AS since, coalesce(nullif(a.application_name, ''), a.usename) AS name
     FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.granted AND l.relation = $1::regclass AND l.pid <> pg_backend_pid() ORDER BY a.xact_start LIMIT 1`,
    [table],
  );
  const [holder] = rows;
  return holder && `process ${holder.pid} (${holder.name}, since ${holder.since})`;
}

const LOCK_NOT_AVAILABLE = '55P03';
