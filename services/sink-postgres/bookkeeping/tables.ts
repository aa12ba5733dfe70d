import type pg from 'pg';

/**
 * What a sink remembers at its destination, in schema `sluice`, so that it is committed or lost together with the rows
 * that it speaks of. Control reads all of it and writes `request` and, at cutover, `sink.phase`.
 */
const tables = `
  CREATE TABLE IF NOT EXISTS sluice.position (
    task text, sink text, incarnation text NOT NULL, epoch text NOT NULL,
    batch bigint NOT NULL, "position" bigint NOT NULL, manifest_offset bigint NOT NULL,
    lsn pg_lsn NOT NULL, commit_time timestamptz, cluster_id text NOT NULL,
    events bigint NOT NULL DEFAULT 0, transactions bigint NOT NULL DEFAULT 0, conflicts bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task, sink));
  CREATE TABLE IF NOT EXISTS sluice.sink (
    task text, sink text, phase text NOT NULL, detail text NOT NULL DEFAULT '', replica_role boolean,
    error_code text, error_message text, error_remedy text, error_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task, sink));
  CREATE TABLE IF NOT EXISTS sluice.table_load (
    task text, sink text, schema_name text, table_name text, generation bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'loading', 'loaded')),
    rows bigint NOT NULL DEFAULT 0, chunks int NOT NULL DEFAULT 0, updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task, sink, schema_name, table_name));
  CREATE TABLE IF NOT EXISTS sluice.chunk (
    task text, sink text, schema_name text, table_name text, generation bigint, chunk int, rows bigint NOT NULL,
    PRIMARY KEY (task, sink, schema_name, table_name, generation, chunk));
  CREATE TABLE IF NOT EXISTS sluice.object (
    task text, sink text, number int, section text NOT NULL, kind text NOT NULL,
    schema_name text NOT NULL, object_name text NOT NULL, sql text NOT NULL,
    table_name json, identity json, needs json NOT NULL, columns json,
    state text NOT NULL CHECK (state IN ('pending', 'created', 'existed', 'failed', 'skipped', 'left out')),
    reason text, sqlstate text, differences json,
    PRIMARY KEY (task, sink, number));
  CREATE TABLE IF NOT EXISTS sluice.request (
    task text, sink text, kind text NOT NULL CHECK (kind IN ('hold', 'run-to', 'finish')), lsn pg_lsn,
    state text NOT NULL CHECK (state IN ('requested', 'reached')), requested_at timestamptz NOT NULL DEFAULT now(),
    reached_lsn pg_lsn,
    PRIMARY KEY (task, sink));
  CREATE TABLE IF NOT EXISTS sluice.suspended (
    task text, sink text, schema_name text, table_name text,
    kind text CHECK (kind IN ('trigger', 'rule', 'identity')), name text, state "char" NOT NULL,
    PRIMARY KEY (task, sink, schema_name, table_name, kind, name))`;

/** Columns that came later than their tables. */
const columns = `
  ALTER TABLE sluice.position ADD COLUMN IF NOT EXISTS last_conflict jsonb;
  ALTER TABLE sluice.table_load ADD COLUMN IF NOT EXISTS staging text, ADD COLUMN IF NOT EXISTS row_key jsonb`;

/** Serialises sinks that start at one moment on one destination. */
const creationLock = `pg_advisory_xact_lock(hashtext('sluice.bookkeeping'))`;

/** Creates what is missing; needs no right to create where nothing is. */
export async function createBookkeeping(client: pg.Client): Promise<void> {
  const { rows } = await client.query(`SELECT 1 WHERE to_regclass('sluice.suspended') IS NOT NULL`);
  if (rows.length > 0) return;
  await client.query('BEGIN');
  await client.query(`SELECT ${creationLock}`);
  const schema = await client.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'sluice'`);
  if (schema.rows.length === 0) await client.query('CREATE SCHEMA sluice');
  await client.query(tables);
  await client.query(columns);
  await client.query('COMMIT');
}

/** Whose rows: one sink of one task. */
export interface SinkIdentity {
  readonly task: string;
  readonly sink: string;
}
