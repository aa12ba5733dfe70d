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

export class SinkRequest {
  readonly #client: pg.Client;
  readonly #key: readonly [task: string, sink: string];

  constructor(client: pg.Client, task: Task) {
    this.#client = client;
    this.#key = [task.name, task.sink.name];
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

  /** @throws SluiceError FENCE_TIMEOUT; the signal's reason */
  async reached(deadline: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const request = await this.read();
      if (request?.state === 'reached') return;
      if (!request) throw new SluiceError('FENCE_TIMEOUT', 'another command withdrew the request to the sink');
      if (Date.now() > deadline)
        throw new SluiceError('FENCE_TIMEOUT', `the sink did not answer ${request.kind} in time`);
      await delay(POLL_MS, undefined, { signal });
    }
  }

  async withdraw(): Promise<void> {
    await this.#client.query('DELETE FROM sluice.request WHERE task = $1 AND sink = $2', [...this.#key]);
  }
}
