import type pg from 'pg';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { OBJECT_MARK_PATTERN } from '../../../shared/schema-objects/create-section.ts';
import type { Task } from '../../../shared/task/task.ts';

export type Phase = 'schema migration' | 'full data migration' | 'incremental data migration' | 'cut over';

export interface AppliedPosition {
  readonly batch: bigint;
  readonly position: bigint;
  readonly lsn: Lsn;
  /** Milliseconds since 1970; null before the first transaction. */
  readonly commitTime: number | null;
  readonly events: bigint;
  readonly transactions: bigint;
  readonly conflicts: bigint;
  readonly lastConflict: LastConflict | null;
}

/** The newest change that met other rows than at the source. */
export interface LastConflict {
  /** What it was: insert, update, delete, or key for an update of the key. */
  readonly kind: string;
  readonly schema: string;
  readonly table: string;
  readonly position: string;
  readonly commitLsn: string;
}

export interface SinkState {
  readonly phase: Phase;
  readonly detail: string;
  readonly replicaRole: boolean;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
    readonly at: string;
  } | null;
}

export interface TableLoad {
  readonly state: 'pending' | 'loading' | 'loaded';
  readonly rows: bigint;
}

/** Objects of one section by their state. */
export interface SectionProgress {
  readonly section: string;
  /** Without those that are not carried at all. */
  readonly total: number;
  readonly done: number;
  /** Refused by the destination, or in need of one that is. */
  readonly missing: number;
}

/** An object that is being created now. */
export interface RunningObject {
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  readonly seconds: number;
}

/** What the bookkeeping at the destination says of one sink of a task. */
export interface DestinationState {
  /** null: the sink has not applied anything of the stream yet. */
  readonly applied: AppliedPosition | null;
  readonly sink: SinkState | null;
  /** By tableKey. */
  readonly loads: ReadonlyMap<string, TableLoad>;
  readonly sections: readonly SectionProgress[];
  readonly running: readonly RunningObject[];
}

const nothing: DestinationState = { applied: null, sink: null, loads: new Map(), sections: [], running: [] };

/** The sink creates the bookkeeping in one transaction at its first start. */
export async function readDestinationState(client: pg.Client, task: Task): Promise<DestinationState> {
  if (!(await hasBookkeeping(client))) return nothing;
  const key = [task.name, task.sink.name];
  return {
    applied: await readApplied(client, key),
    sink: await readSink(client, key),
    loads: await readLoads(client, key),
    sections: await readSections(client, key),
    running: await readRunning(client, key),
  };
}

export async function hasBookkeeping(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT count(*) AS found FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'sluice' AND c.relname IN ('position', 'sink', 'table_load', 'chunk', 'object', 'request')`,
  );
  return Number(rows[0]?.found) === 6;
}

async function readApplied(client: pg.Client, key: string[]): Promise<AppliedPosition | null> {
  const { rows } = await client.query(
    `SELECT batch, "position", lsn, (extract(epoch FROM commit_time) * 1000)::bigint AS commit_ms,
            events, transactions, conflicts, to_jsonb(p) -> 'last_conflict' AS last_conflict
     FROM sluice.position p WHERE task = $1 AND sink = $2`,
    key,
  );
  const [row] = rows as Record<string, string | null>[];
  if (!row) return null;
  return {
    batch: BigInt(row.batch ?? 0),
    position: BigInt(row.position ?? 0),
    lsn: parseLsn(row.lsn ?? '0/0'),
    commitTime: row.commit_ms == null ? null : Number(row.commit_ms),
    events: BigInt(row.events ?? 0),
    transactions: BigInt(row.transactions ?? 0),
    conflicts: BigInt(row.conflicts ?? 0),
    lastConflict: row.last_conflict == null ? null : (JSON.parse(row.last_conflict) as LastConflict | null),
  };
}

async function readSink(client: pg.Client, key: string[]): Promise<SinkState | null> {
  const { rows } = await client.query(
    `SELECT phase, coalesce(detail, '') AS detail, coalesce(replica_role, true)::text AS replica_role,
            error_code, error_message, error_remedy, error_at
     FROM sluice.sink WHERE task = $1 AND sink = $2`,
    key,
  );
  const [row] = rows as Record<string, string | null>[];
  if (!row) return null;
  const { error_code: code, error_message: message, error_remedy: remedy, error_at: at } = row;
  return {
    phase: row.phase as Phase,
    detail: row.detail ?? '',
    replicaRole: row.replica_role === 'true',
    error: code == null ? null : { code, message: message ?? '', remedy: remedy ?? '', at: at ?? '' },
  };
}

/** Rows of a table that is being loaded are those of its ledger. */
async function readLoads(client: pg.Client, key: string[]): Promise<Map<string, TableLoad>> {
  const { rows } = await client.query(
    `SELECT l.schema_name AS schema, l.table_name AS name, l.state,
            CASE l.state WHEN 'loaded' THEN l.rows
              ELSE coalesce((SELECT sum(c.rows) FROM sluice.chunk c
                             WHERE c.task = l.task AND c.sink = l.sink AND c.schema_name = l.schema_name
                               AND c.table_name = l.table_name AND c.generation = l.generation), 0) END AS rows
     FROM sluice.table_load l WHERE l.task = $1 AND l.sink = $2`,
    key,
  );
  return new Map(
    (rows as { schema: string; name: string; state: TableLoad['state']; rows: string }[]).map((row) => [
      tableKey(row),
      { state: row.state, rows: BigInt(row.rows) },
    ]),
  );
}

async function readSections(client: pg.Client, key: string[]): Promise<SectionProgress[]> {
  const { rows } = await client.query(
    `SELECT section, count(*) FILTER (WHERE state <> 'left out') AS total,
       count(*) FILTER (WHERE state IN ('created', 'existed')) AS done,
       count(*) FILTER (WHERE state IN ('failed', 'skipped')) AS missing
     FROM sluice.object WHERE task = $1 AND sink = $2 GROUP BY section ORDER BY min(number)`,
    key,
  );
  return (rows as Record<'section' | 'total' | 'done' | 'missing', string>[]).map((row) => ({
    section: row.section,
    total: Number(row.total),
    done: Number(row.done),
    missing: Number(row.missing),
  }));
}

/** By the mark that stands before the statements of an object; the longest running first. */
async function readRunning(client: pg.Client, key: string[]): Promise<RunningObject[]> {
  const { rows } = await client.query<Record<'kind' | 'schema' | 'name' | 'seconds', string>>(
    `SELECT o.kind, o.schema_name AS schema, o.object_name AS name,
       extract(epoch FROM clock_timestamp() - a.query_start)::numeric(12, 1) AS seconds
     FROM left('sluice sink ' || $1 || '/' || $2 || ' ', 63) AS sessions(name)
     CROSS JOIN pg_catalog.pg_stat_activity a
     JOIN sluice.object o ON o.task = $1 AND o.sink = $2
       AND o.number = substring(a.query FROM '${OBJECT_MARK_PATTERN}')::int
     WHERE a.datname = current_database() AND a.state = 'active'
       AND left(a.application_name, length(sessions.name)) = sessions.name
     ORDER BY a.query_start`,
    key,
  );
  return rows.map((row) => ({ ...row, seconds: Number(row.seconds) }));
}
