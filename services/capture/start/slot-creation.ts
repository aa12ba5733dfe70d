import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { majorVersion } from '../../../shared/postgres/server-version.ts';
import type { ReplicationConnection } from '../stream/replication-connection.ts';

export interface SlotCreation {
  readonly replication: ReplicationConnection;
  /** Another session, to look and to cancel with. */
  readonly sql: pg.Client;
  readonly slot: string;
  /** Standbys keep a copy; 17 and later. */
  readonly failover: boolean;
  readonly timeoutMilliseconds: number;
  readonly signal: AbortSignal;
}

export interface CreatedSlot {
  readonly consistentPoint: Lsn;
  /** Exported; dies with the next command on the replication connection. */
  readonly snapshot: string;
}

/**
 * Makes the slot. The server waits until every transaction that runs now has ended: not longer than the time limit.
 * @throws SluiceError SOURCE_SLOT_WAIT naming what was waited for, SOURCE_NO_SLOT_FREE, POSTGRES_*; the signal's reason
 */
export async function createSlot({
  replication,
  sql,
  slot,
  failover,
  timeoutMilliseconds,
  signal,
}: SlotCreation): Promise<CreatedSlot> {
  let waitedFor: string | null = null;
  const cancel = async () => {
    waitedFor = await describeBlockers(sql, replication.pid);
    await sql.query('SELECT pg_cancel_backend($1)', [replication.pid]);
  };
  const cancelQuietly = () => void cancel().catch(() => undefined);
  const timer = setTimeout(cancelQuietly, timeoutMilliseconds);
  signal.addEventListener('abort', cancelQuietly);
  try {
    const options = failover ? "(SNAPSHOT 'export', FAILOVER)" : 'EXPORT_SNAPSHOT';
    const command = `CREATE_REPLICATION_SLOT ${quoteIdentifier(slot)} LOGICAL pgoutput ${options}`;
    const [created] = await replication.query(command);
    return { consistentPoint: parseLsn(created?.consistent_point ?? ''), snapshot: created?.snapshot_name ?? '' };
  } catch (error) {
    signal.throwIfAborted();
    const state = sqlstate(error);
    if (state === '57014' && waitedFor !== null) {
      const seconds = Math.round(timeoutMilliseconds / 1000);
      throw new SluiceError(
        'SOURCE_SLOT_WAIT',
        `slot ${slot} was not made within ${seconds} s: waited for ${waitedFor}`,
      );
    }
    if (state === '53400')
      throw new SluiceError('SOURCE_NO_SLOT_FREE', 'no replication slot is free', { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancelQuietly);
  }
}

/** From 17 on a slot can be a failover slot. */
const FIRST_WITH_FAILOVER = 170_000;

/** @throws SluiceError CONFIG_INVALID */
export function checkFailover(failover: boolean, version: number): void {
  if (!failover || version >= FIRST_WITH_FAILOVER) return;
  const detail = `source.failoverSlot needs PostgreSQL 17 or later; the source is ${majorVersion(version)}`;
  throw new SluiceError('CONFIG_INVALID', detail);
}

/** Gives the slot of a task that goes on what the setting says now. */
export async function settleFailover(
  { replication, sql, slot, failover }: Pick<SlotCreation, 'replication' | 'sql' | 'slot' | 'failover'>,
  version: number,
): Promise<void> {
  if (version < FIRST_WITH_FAILOVER) return;
  const { rows } = await sql.query<{ failover: string }>(
    'SELECT failover::text AS failover FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  );
  if (rows[0]?.failover === String(failover)) return;
  await replication.query(`ALTER_REPLICATION_SLOT ${quoteIdentifier(slot)} (FAILOVER ${failover})`);
}

/** Sessions and prepared transactions that the walsender waits for. */
async function describeBlockers(sql: pg.Client, pid: number): Promise<string> {
  const { rows } = await sql.query<{ blocker: string }>(
    `SELECT format('process %s (%s, in a transaction since %s)', pid, coalesce(nullif(application_name, ''), usename),
       xact_start) AS blocker
     FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1))
     UNION ALL
     SELECT format('prepared transaction %L (since %s)', gid, prepared) FROM pg_prepared_xacts
     WHERE 0 = ANY (pg_blocking_pids($1))`,
    [pid],
  );
  return rows.length > 0 ? rows.map(({ blocker }) => blocker).join(', ') : 'running transactions';
}
