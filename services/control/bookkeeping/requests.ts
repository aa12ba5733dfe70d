import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { formatLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { Task } from '../../../shared/task/task.ts';

/**
 * What control asks of a sink, one row of sluice.request at the destination:
 *   hold     stop before the next destination transaction
 *   run-to   apply what commits below the LSN, then stand still
 *   finish   likewise, then end for good: the task is being cut over
 * The sink answers by state `reached`; a deleted row lets it go on.
 */
export type RequestKind = 'hold' | 'run-to' | 'finish';

const POLL_MS = 100;
const LOCK_WAIT_MS = 3000;

export class SinkRequest {
  readonly #client: pg.Client;
  readonly #key: readonly [task: string, sink: string];

  constructor(client: pg.Client, task: Task) {
    this.#client = client;
    this.#key = [task.name, task.sink.name];
  }

  /**
   * One command at a time asks a sink: the lock lasts as long as the client's session.
   * @throws SluiceError FENCE_TIMEOUT when another one does.
   */
  async lock(): Promise<void> {
    // A sweep holds it for a moment.
    for (const until = performance.now() + LOCK_WAIT_MS; performance.now() < until; await delay(POLL_MS)) {
      if (await tryLock(this.#client, this.#key)) return;
    }
    throw new SluiceError('FENCE_TIMEOUT', `another fence, comparison or cutover of task ${this.#key[0]} runs`, {
      remedy: 'Wait for it to end.',
    });
  }

  /** Replaces a request that is there already: of an earlier command that was interrupted. */
  async ask(kind: RequestKind, lsn: Lsn | null): Promise<void> {
    await this.#client.query(
      `INSERT INTO sluice.request (task, sink, kind, lsn, state, requested_at, reached_lsn)
       VALUES ($1, $2, $3, $4, 'requested', now(), NULL)
       ON CONFLICT (task, sink) DO UPDATE
         SET kind = excluded.kind, lsn = excluded.lsn, state = 'requested', requested_at = now(), reached_lsn = NULL`,
      [...this.#key, kind, lsn === null ? null : formatLsn(lsn)],
    );
  }

  async read(): Promise<{ kind: RequestKind; state: 'requested' | 'reached' } | null> {
    const { rows } = await this.#client.query<{ kind: RequestKind; state: 'requested' | 'reached' }>(
      'SELECT kind, state FROM sluice.request WHERE task = $1 AND sink = $2',
      [...this.#key],
    );
    return rows[0] ?? null;
  }

  /** Of the request that is there, as text. */
  async lsn(): Promise<string> {
    const sql = 'SELECT lsn FROM sluice.request WHERE task = $1 AND sink = $2';
    const { rows } = await this.#client.query<{ lsn: string | null }>(sql, [...this.#key]);
    return rows[0]?.lsn ?? '';
  }

  /** @throws SluiceError FENCE_TIMEOUT; the signal's reason */
  async reached(deadline: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const request = await this.read();
      if (request?.state === 'reached') return;
      if (!request) throw new SluiceError('FENCE_TIMEOUT', 'another command withdrew the request to the sink');
      if (performance.now() > deadline)
        throw new SluiceError('FENCE_TIMEOUT', `the sink did not answer ${request.kind} in time`);
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Takes back what a command that was killed left behind; a sink would stand still for ever. */
  async sweep(): Promise<void> {
    if (!(await tryLock(this.#client, this.#key))) return;
    try {
      const sql = `DELETE FROM sluice.request WHERE task = $1 AND sink = $2 AND kind <> 'finish'`;
      await this.#client.query(sql, [...this.#key]);
    } finally {
      await this.#client.query(`SELECT pg_advisory_unlock(${LOCK})`, lockValues(this.#key));
    }
  }

  /** For a request after which the sink ends: once it is reached there is no way back. */
  async withdrawUnreached(): Promise<void> {
    const sql = `DELETE FROM sluice.request WHERE task = $1 AND sink = $2 AND state = 'requested'`;
    await this.#client.query(sql, [...this.#key]);
  }

  async withdraw(): Promise<void> {
    await this.#client.query('DELETE FROM sluice.request WHERE task = $1 AND sink = $2', [...this.#key]);
  }
}

const LOCK = 'hashtext($1), hashtext($2)';

function lockValues([task, sink]: readonly [string, string]): string[] {
  return ['sluice.control', `${task}/${sink}`];
}

async function tryLock(client: pg.Client, key: readonly [string, string]): Promise<boolean> {
  const { rows } = await client.query(`SELECT pg_try_advisory_lock(${LOCK})::text AS locked`, lockValues(key));
  return (rows[0] as { locked: string } | undefined)?.locked === 'true';
}
