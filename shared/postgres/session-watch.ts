import type { Socket } from 'node:net';
import pg from 'pg';

/**
 * A statement may run for hours, so no time limit tells a slow server from a connection that is dead without a word:
 * a firewall that forgot it, a machine that is gone. The server tells, on another connection: a session that waits
 * for nobody but us, while we wait for it, has lost us.
 *
 *   silent for SILENT_MS   ask, and again each LOOK_MS
 *   lost LOST times        the socket is destroyed, and the statement fails
 *   no answer NO_ANSWER times   likewise
 */
const LOOK_MS = 10_000;
const SILENT_MS = 20_000;
const LOST = 2;
const NO_ANSWER = 6;
const ANSWER_MS = 8_000;

/** What pg_stat_activity says of a session; null: there is no such session. */
export interface SessionActivity {
  readonly state: string | null;
  readonly waitEvent: string | null;
}

/** A walsender waits for WAL under the same type of event: names, not types. */
const waitsForUs: ReadonlySet<string | null> = new Set(['ClientRead', 'ClientWrite']);

/** `working`: its answer may still come. `lost`: nothing will come of it. */
export function judgeSession(activity: SessionActivity | null): 'working' | 'lost' {
  if (activity === null) return 'lost';
  // Not told to this account, or not tracked.
  if (activity.state === null || activity.state === 'disabled') return 'working';
  const runs = activity.state === 'active' || activity.state === 'fastpath function call';
  return runs && !waitsForUs.has(activity.waitEvent) ? 'working' : 'lost';
}

interface Backend {
  readonly pid: string;
  readonly started: string;
}

/** Watches a connected session until its socket closes. `config` is what it was opened with. */
export async function watchSession(client: pg.Client, config: pg.ClientConfig): Promise<void> {
  const { rows } = await client.query<Backend>(
    'SELECT pid, backend_start AS started FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()',
  );
  const [backend] = rows;
  if (!backend) return;
  const watch = new SessionWatch(client, backend, config);
  const timer = setInterval(() => void watch.look(), LOOK_MS).unref();
  client.connection.stream.once('close', () => clearInterval(timer));
}

class SessionWatch {
  readonly #client: pg.Client;
  readonly #backend: Backend;
  readonly #config: pg.ClientConfig;
  #bytes = -1;
  #silentSince = 0;
  #lost = 0;
  #unanswered = 0;
  #asking = false;

  constructor(client: pg.Client, backend: Backend, config: pg.ClientConfig) {
    this.#client = client;
    this.#backend = backend;
    this.#config = config;
  }

  async look(): Promise<void> {
    if (this.#asking || !this.#isSilent()) return;
    this.#asking = true;
    const verdict = await this.#ask();
    this.#asking = false;
    if (!this.#isSilent()) return;
    this.#lost = verdict === 'lost' ? this.#lost + 1 : 0;
    this.#unanswered = verdict === null ? this.#unanswered + 1 : 0;
    if (this.#lost < LOST && this.#unanswered < NO_ANSWER) return;
    this.#client.connection.stream.destroy(new Error('the connection is dead: the server does not know of our wait'));
  }

  /** A statement runs, we would read its answer, and no byte has gone either way for long. */
  #isSilent(): boolean {
    const stream = this.#client.connection.stream as Socket;
    const { readyForQuery } = this.#client as unknown as { readyForQuery: boolean };
    const bytes = stream.bytesRead + stream.bytesWritten;
    if (readyForQuery || stream.isPaused() || bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#silentSince = performance.now();
      this.#lost = 0;
      this.#unanswered = 0;
      return false;
    }
    return performance.now() - this.#silentSince >= SILENT_MS;
  }

  /** null: the server cannot be asked. */
  async #ask(): Promise<'working' | 'lost' | null> {
    const { replication: _, ...config } = this.#config as pg.ClientConfig & { replication?: string };
    const limits = { connectionTimeoutMillis: ANSWER_MS, query_timeout: ANSWER_MS };
    const other = new pg.Client({ ...config, ...limits });
    other.on('error', () => undefined);
    try {
      await other.connect();
      const { rows } = await other.query<{ state: string | null; wait: string | null }>(
        `SELECT state, wait_event AS wait FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND backend_start = $2::timestamptz`,
        [this.#backend.pid, this.#backend.started],
      );
      return judgeSession(rows[0] ? { state: rows[0].state, waitEvent: rows[0].wait } : null);
    } catch (error) {
      // A server that refuses is there, and says nothing of the session.
      return error instanceof pg.DatabaseError ? 'working' : null;
    } finally {
      other.connection?.stream.destroy();
    }
  }
}
