import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import { Random } from './random.ts';
import { definitionsFor, majorOf } from './server-version.ts';
import { workloadRows, workloadSchema } from './workload-schema.ts';
import { workloadTransactions } from './workload-transactions.ts';

/** What one client does; an error that clients make for each other rolls its transaction back. */
export interface ClientWork {
  /** On each new connection. */
  begin(client: pg.Client): Promise<void>;
  /** One transaction, from BEGIN to its end; says whether it was committed. */
  transaction(client: pg.Client, random: Random): Promise<boolean>;
}

export interface WorkloadOptions {
  /** Default: the shop's. */
  readonly work?: (client: number) => ClientWork;
  /** What each client does follows from it; how clients interleave does not. */
  readonly seed: number;
  /** Connections that write at the same time; default: 3. */
  readonly clients?: number;
  /** Of all clients together; default: as fast as it goes. */
  readonly transactionsPerSecond?: number;
}

export interface WorkloadCounts {
  readonly committed: number;
  readonly rolledBack: number;
  /** Refused by the server: deadlocks, keys that another client took. */
  readonly refused: number;
  /** Connections opened again after the server had gone. */
  readonly reconnected: number;
}

/** Makes the tables and fills them. */
export async function createWorkloadTables(database: Pick<TestDatabase, 'query'>, scale = 1_000): Promise<void> {
  await database.query(definitionsFor(await majorOf(database), workloadSchema));
  await database.query(workloadRows(scale));
}

/** Several clients that write until stopped, over restarts of the server too; `await using` or `stop()`. */
export class Workload implements AsyncDisposable {
  readonly #url: string;
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[];
  readonly #counts = { committed: 0, rolledBack: 0, refused: 0, reconnected: 0 };
  #failure: unknown;

  constructor(url: string, options: WorkloadOptions) {
    const { seed, clients = 3, transactionsPerSecond = Number.POSITIVE_INFINITY, work = () => shopWork } = options;
    this.#url = url;
    const pauseMs = (1_000 * clients) / transactionsPerSecond;
    this.#clients = Array.from({ length: clients }, (_, index) =>
      this.#run(work(index), new Random(seed * 1_000 + index), pauseMs).catch((error: unknown) => {
        this.#failure ??= error;
      }),
    );
  }

  get counts(): WorkloadCounts {
    return { ...this.#counts };
  }

  /** Waits for so many more commits: the load goes on while something is looked at. */
  async progress(transactions = 20): Promise<void> {
    const wanted = this.#counts.committed + transactions;
    await eventually(() => this.#counts.committed >= wanted || this.#failure !== undefined, {
      what: 'the load going on',
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends after the transactions under way. @throws what ended a client early */
  async stop(): Promise<WorkloadCounts> {
    this.#stop.abort();
    await Promise.all(this.#clients);
    if (this.#failure !== undefined) throw this.#failure;
    return this.counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  async #run(work: ClientWork, random: Random, pauseMs: number): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const client = await this.#connect();
      if (!client) return;
      try {
        await work.begin(client);
        while (!signal.aborted) {
          await this.#transaction(client, work, random);
          if (pauseMs > 0) await delay(pauseMs * 2 * random.next(), undefined, { signal }).catch(() => {});
        }
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        this.#counts.reconnected++;
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  async #connect(): Promise<pg.Client | null> {
    const deadline = Date.now() + 120_000;
    while (!this.#stop.signal.aborted) {
      const client = new pg.Client({ connectionString: this.#url, application_name: 'sluice workload' });
      client.on('error', () => {});
      try {
        await client.connect();
        return client;
      } catch (error) {
        await client.end().catch(() => {});
        if (Date.now() > deadline) throw error;
        await delay(100);
      }
    }
    return null;
  }

  async #transaction(client: pg.Client, work: ClientWork, random: Random): Promise<void> {
    try {
      if (await work.transaction(client, random)) this.#counts.committed++;
      else this.#counts.rolledBack++;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await client.query('ROLLBACK');
      this.#counts.refused++;
    }
  }
}

const shopWork: ClientWork = {
  begin: async () => {},
  async transaction(client, random) {
    const work = random.weighted(workloadTransactions);
    const abandon = random.chance(0.05);
    await client.query('BEGIN');
    await work(client, random);
    await client.query(abandon ? 'ROLLBACK' : 'COMMIT');
    return !abandon;
  },
};

/** Integrity (23), deadlock and serialization (40), lock time-outs (55): what concurrent clients do to each other. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(23|40|55)/.test(error.code ?? '');
}

/** 57P0x: the server goes down; without a code of the server: the connection is gone. */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof pg.DatabaseError ? /^(57P|08)/.test(error.code ?? '') : !(error instanceof TypeError);
}
