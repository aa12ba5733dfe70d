import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import { SOURCE_LOCK_CLASS } from '../../../shared/task/task.ts';

/** A killed capture's session may end some time after it. */
const WAIT_MILLISECONDS = 10_000;
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
  const until = performance.now() + WAIT_MILLISECONDS;
  for (;;) {
    const { rows } = await session.query<{ locked: string }>(`SELECT pg_try_advisory_lock(${key}) AS locked`);
    if (rows[0]?.locked === 't') return;
    if (takeOver) await session.query(`SELECT pg_terminate_backend(pid) FROM (${holderSql(name)}) AS holder`);
    else if (performance.now() > until) throw await taskRunning(session, name);
    await delay(LOOK_MILLISECONDS, undefined, { signal });
  }
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
