import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import { SOURCE_LOCK_CLASS } from '../../../shared/task/task.ts';

/** A killed capture's session may end some time after it; one that runs answers the source within this time. */
const WAIT_MILLISECONDS = 12_000;
/** Until the source gives up a session that its network lost: TCP keepalives, else wal_sender_timeout. */
const KEEPALIVE_MILLISECONDS = 30_000;
const MARGIN_MILLISECONDS = 5_000;
const LOOK_MILLISECONDS = 200;

export interface LockOptions {
  /** Name of the task's slot. */
  readonly name: string;
  /** Ends the session that holds the lock. */
  readonly takeOver: boolean;
  readonly signal: AbortSignal;
}

/**
 * Takes the task's lock in this session, for as long as it lives. Politeness only: two captures that both
 * believe to have it are kept apart by the manifest.
 * @throws SluiceError SOURCE_TASK_RUNNING
 */
export async function lockTask(session: pg.ClientBase, { name, takeOver, signal }: LockOptions): Promise<void> {
  const key = `${SOURCE_LOCK_CLASS}, hashtext(${quoteLiteral(name)})`;
  const longest = await longestWait(session);
  const began = performance.now();
  const waited = () => performance.now() - began;
  let first: string | undefined;
  for (;;) {
    const { rows } = await session.query<{ locked: string }>(`SELECT pg_try_advisory_lock(${key}) AS locked`);
    if (rows[0]?.locked === 't') return;
    if (takeOver) await session.query(`SELECT pg_terminate_backend(pid) FROM (${holderSql(name)}) AS holder`);
    else {
      const reply = await lastReply(session, name);
      first ??= reply;
      const runs = waited() > WAIT_MILLISECONDS && reply !== first;
      if (runs || waited() > longest) throw await taskRunning(session, name);
    }
    await delay(LOOK_MILLISECONDS, undefined, { signal });
  }
}

/** Changes with each status that the holder sends; empty while it does not stream, and before PostgreSQL 12. */
async function lastReply(session: pg.ClientBase, name: string): Promise<string> {
  const { rows } = await session.query<{ reply: string | null }>(
    `SELECT pid || coalesce(to_jsonb(r) ->> 'reply_time', '') AS reply
     FROM pg_stat_replication r JOIN (${holderSql(name)}) AS holder USING (pid)`,
  );
  return rows[0]?.reply ?? '';
}

async function longestWait(session: pg.ClientBase): Promise<number> {
  const text = "SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'";
  const { rows } = await session.query<{ setting: string }>(text);
  return Math.max(Number(rows[0]?.setting), KEEPALIVE_MILLISECONDS) + MARGIN_MILLISECONDS;
}

function holderSql(name: string): string {
  return `
    SELECT l.pid, a.client_addr, a.application_name, a.backend_start
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = ${SOURCE_LOCK_CLASS}::oid
      AND l.objid = (hashtext(${quoteLiteral(name)})::bigint & 4294967295)::oid`;
}

async function taskRunning(session: pg.ClientBase, name: string): Promise<SluiceError> {
  const { rows } = await session.query<Record<'pid' | 'client_addr' | 'backend_start', string | null>>(holderSql(name));
  const holder = rows[0];
  const who = holder ? `process ${holder.pid} from ${holder.client_addr ?? 'this machine'}` : 'somebody';
  return new SluiceError('SOURCE_TASK_RUNNING', `the lock of ${name} is held at the source by ${who}`);
}
