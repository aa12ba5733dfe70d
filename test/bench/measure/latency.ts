import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { TestDatabase } from '../../support/database.ts';

export interface LatencyOptions {
  readonly source: TestDatabase;
  readonly destination: TestDatabase;
  /** A statement that is a transaction and inserts $1 into `pings`. */
  readonly statement: string;
  readonly perSecond: number;
  /** Goes on at least until this is done. */
  readonly until: Promise<unknown>;
}

export interface Latencies {
  /** Milliseconds from the answer to COMMIT until the row was seen at the destination, sorted. */
  readonly milliseconds: readonly number[];
}

export const pingTable = 'CREATE TABLE pings (id bigint PRIMARY KEY)';

/** Sessions that commit: one that waits for the disk does not hold the others up. */
const SESSIONS = 8;
const POLL_MS = 2;
/** Of each run: the first plans and cold caches are not what is asked for. */
const WARM_UP_MS = 1_000;
const PATIENCE_MS = 120_000;

/** Commits at a steady pace, whatever becomes of it, and looks at the destination for what has arrived. */
export async function measureLatency(options: LatencyOptions): Promise<Latencies> {
  const { source, destination } = options;
  const first = 1 + Number(await source.value('SELECT coalesce(max(id), 0) FROM pings'));
  const committed = new Map<number, number>();
  const seen = new Map<number, number>();
  const poller = new Poller(await destination.connect(), first, seen);
  const polling = poller.run();
  try {
    const last = await commitSteadily(options, first, committed);
    const deadline = performance.now() + PATIENCE_MS;
    while (poller.next <= last) {
      if (performance.now() > deadline) throw new Error(`ping ${poller.next} of ${last} did not arrive`);
      await delay(POLL_MS);
    }
  } finally {
    poller.stop();
    await polling;
  }
  const counted = [...committed].sort(([a], [b]) => a - b).slice((options.perSecond * WARM_UP_MS) / 1000);
  // Seen before its answer reached us: at once.
  const milliseconds = counted.map(([id, at]) => Math.max(0, (seen.get(id) ?? Number.NaN) - at));
  return { milliseconds: milliseconds.sort((a, b) => a - b) };
}

export function percentile({ milliseconds }: Latencies, percent: number): number {
  const index = Math.ceil((milliseconds.length * percent) / 100) - 1;
  return milliseconds[Math.max(0, index)] ?? Number.NaN;
}

/** Gives the last id. */
async function commitSteadily(
  { source, statement, perSecond, until }: LatencyOptions,
  first: number,
  committed: Map<number, number>,
): Promise<number> {
  const pool = new pg.Pool({ connectionString: source.url, max: SESSIONS });
  pool.on('error', () => undefined);
  const running: Promise<void>[] = [];
  const began = performance.now();
  const end = { reached: false };
  const ended = until.finally(() => {
    end.reached = true;
  });
  let next = first;
  for (; !end.reached; next++) {
    const due = began + ((next - first) * 1000) / perSecond;
    await delay(Math.max(0, due - performance.now()));
    const id = next;
    const committing = pool.query({ name: 'bench-ping', text: statement, values: [id] });
    running.push(committing.then(() => void committed.set(id, performance.now())));
  }
  await Promise.all([ended, ...running]);
  await pool.end();
  return next - 1;
}

class Poller {
  /** All below it are seen. */
  next: number;
  readonly #client: pg.Client;
  readonly #seen: Map<number, number>;
  #stopped = false;

  constructor(client: pg.Client, first: number, seen: Map<number, number>) {
    this.#client = client;
    this.next = first;
    this.#seen = seen;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    const text = 'SELECT id FROM pings WHERE id >= $1';
    while (!this.#stopped) {
      const { rows } = await this.#client.query<{ id: string }>({ name: 'bench-pings', text, values: [this.next] });
      const now = performance.now();
      for (const { id } of rows) if (!this.#seen.has(Number(id))) this.#seen.set(Number(id), now);
      while (this.#seen.has(this.next)) this.next++;
      await delay(POLL_MS);
    }
    await this.#client.end();
  }
}
