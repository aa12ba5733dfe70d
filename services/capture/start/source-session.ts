import type pg from 'pg';
import type { SourceFacts } from '../../../shared/envelope/start-decision.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { connect, describeEnd, endpointOf, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure, sqlstate } from '../../../shared/postgres/failure.ts';
import { parseLsn } from '../../../shared/postgres/lsn.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import { identifySystem, type SystemIdentity, timelineEnds } from '../../../shared/postgres/system.ts';
import { publicationName, slotName, type Task } from '../../../shared/task/task.ts';
import { ReplicationConnection } from '../stream/replication-connection.ts';
import { checkFailover } from './slot-creation.ts';
import { lockTask } from './source-lock.ts';

/** The sessions of one attempt at the source. */
export interface SourceSession {
  /** For catalogs. */
  readonly sql: pg.Client;
  /** The walsender, which holds the task's lock and later streams; null in a task without a stream: `sql` holds it. */
  readonly replication: ReplicationConnection | null;
  readonly version: number;
  /** All sessions of the attempt go to one server: snapshots and slots are of one. */
  readonly endpoint: PostgresEndpoint;
  close(): Promise<void>;
}

export interface OpenSourceOptions {
  readonly takeOver: boolean;
  readonly signal: AbortSignal;
}

const OLDEST = 100_000;

/** @throws SluiceError POSTGRES_*, SOURCE_TASK_RUNNING, SOURCE_NO_SLOT_FREE, CONFIG_INVALID before PostgreSQL 10 */
export async function openSource(task: Task, { takeOver, signal }: OpenSourceOptions): Promise<SourceSession> {
  const applicationName = `sluice ${task.name}`;
  const sql = await connect(task.source.endpoint, { applicationName, end: 'source' });
  const endpoint = endpointOf(sql, task.source.endpoint);
  let replication: ReplicationConnection | null = null;
  const close = async () => {
    await replication?.close();
    await sql.end().catch(() => undefined);
  };
  try {
    const version = await serverVersion(sql);
    if (version < OLDEST) throw new SluiceError('CONFIG_INVALID', 'the source is older than PostgreSQL 10');
    checkFailover(task.source.failoverSlot, version);
    if (task.types.has('incremental')) replication = await openReplication(endpoint, applicationName);
    if (replication && version >= 140_000) {
      // So that the lock is not held for a process that was killed while the server made the slot.
      await replication.query("SET client_connection_check_interval = '2s'");
    }
    await lockTask(replication?.client ?? sql, { name: slotName(task.name), takeOver, signal });
    return { sql, replication, version, endpoint, close };
  } catch (error) {
    await close();
    throw postgresFailure(error, describeEnd(endpoint, 'source'));
  }
}

async function openReplication(endpoint: PostgresEndpoint, applicationName: string): Promise<ReplicationConnection> {
  try {
    return await ReplicationConnection.open(endpoint, applicationName);
  } catch (error) {
    const state = sqlstate(error);
    if (state === '53300') {
      throw new SluiceError('SOURCE_NO_SLOT_FREE', 'no WAL sender is free (max_wal_senders)', { cause: error });
    }
    if (state === '42501') {
      const detail = `source: ${endpoint.user} lacks the REPLICATION attribute`;
      throw new SluiceError('POSTGRES_PERMISSION_DENIED', detail, { cause: error });
    }
    throw error;
  }
}

/** Runs work with a session at the source; what the server or the connection fails with is classed. */
export async function atSource<T>(task: Task, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw postgresFailure(error, describeEnd(task.source.endpoint, 'source'));
  }
}

/** What startDecision wants to know, to be read before the epoch record is appended. */
export async function readSourceFacts({ sql, replication, endpoint }: SourceSession, task: Task): Promise<SourceFacts> {
  const { systemIdentifier, timeline, flushed } = replication
    ? await identifySystem(replication.client)
    : await controlFile(sql);
  const ends = replication ? await timelineEnds(replication.client, timeline) : new Map();
  const publication = await sql.query('SELECT 1 FROM pg_publication WHERE pubname = $1', [publicationName(task.name)]);
  const slot = await readSlot(sql, slotName(task.name));
  const publicationExists = publication.rows.length > 0;
  const { database } = endpoint;
  return { systemIdentifier, timeline, timelineEnds: ends, database, walEnd: flushed, slot, publicationExists };
}

async function controlFile(sql: pg.Client): Promise<SystemIdentity> {
  const { rows } = await sql.query<{ id: string; timeline: string; flushed: string }>(
    `SELECT s.system_identifier AS id, c.timeline_id AS timeline,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS flushed
     FROM pg_control_system() s, pg_control_checkpoint() c`,
  );
  const { id = '', timeline, flushed } = rows[0] ?? {};
  return { systemIdentifier: id, timeline: Number(timeline), flushed: parseLsn(flushed ?? '0/0') };
}

/** Columns that came with later versions are read through JSON, which has them or not. */
async function readSlot(sql: pg.Client, name: string): Promise<SourceFacts['slot']> {
  const { rows } = await sql.query<{ slot: string }>(
    'SELECT to_jsonb(s)::text AS slot FROM pg_replication_slots s WHERE slot_name = $1',
    [name],
  );
  if (!rows[0]) return null;
  const slot = JSON.parse(rows[0].slot) as Record<string, string | null>;
  const invalid = slot.wal_status === 'lost' || slot.invalidation_reason != null || slot.confirmed_flush_lsn == null;
  const { database = null, confirmed_flush_lsn: confirmed } = slot;
  return { name, database, confirmedFlush: parseLsn(confirmed ?? '0/0'), invalid };
}
