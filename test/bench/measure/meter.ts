import type pg from 'pg';
import type { BenchServers } from '../servers.ts';
import { treeUsage, usageOf } from './process-usage.ts';
import type { Sample, WalUse } from './sample.ts';

const LOOK_MS = 100;
const MIB = 1024 * 1024;

export interface MeterOptions {
  readonly servers: BenchServers;
  /** Whose WAL is looked at. */
  readonly slot?: string;
}

/** Measures one side from `start` to `stop`: time, CPU of the servers and of what it follows, WAL kept by the slot. */
export class Meter implements AsyncDisposable {
  readonly #servers: BenchServers;
  readonly #slot: string;
  readonly #client: pg.Client;
  readonly #serversAtStart: Map<string, number>;
  readonly #began = performance.now();
  readonly #followed = new Map<string, { pid: number; before: number; cpu: number; peak: number }>();
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  #wal: { kept: number; unacknowledged: number } | null = null;
  #startSeconds: number | null = null;
  readonly #startCpu: Record<string, number> = {};

  static async start(options: MeterOptions): Promise<Meter> {
    const client = await options.servers.connectSource();
    // The first look plans the query and reads catalogs: not part of what is measured.
    await client.query(walQuery(options.slot ?? ''));
    return new Meter(options, client);
  }

  private constructor({ servers, slot = '' }: MeterOptions, client: pg.Client) {
    this.#servers = servers;
    this.#slot = slot;
    this.#client = client;
    this.#serversAtStart = cpuOfServers(servers);
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look()
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => {
          this.#looking = null;
        });
    }, LOOK_MS);
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** From here on; a process that the side just started, or one that runs. */
  follow(name: string, pid: number): void {
    this.#followed.set(name, { pid, before: usageOf(pid)?.cpu ?? 0, cpu: 0, peak: 0 });
  }

  /** What it is now that the side began to read, unless the slot said so earlier. */
  started(): void {
    if (this.#startSeconds !== null) return;
    this.#startSeconds = this.seconds;
    for (const [name, { pid, before }] of this.#followed) this.#startCpu[name] = (usageOf(pid)?.cpu ?? 0) - before;
  }

  /** `seconds`: when it was done, where that was seen earlier. */
  async stop(units: number, seconds = this.seconds): Promise<Sample> {
    const cpu: Record<string, number> = {};
    const peak: Record<string, number> = {};
    for (const [name, pid] of Object.entries(this.#servers.processes)) {
      const usage = treeUsage(pid);
      cpu[name] = (usage?.cpu ?? 0) - (this.#serversAtStart.get(name) ?? 0);
      peak[name] = (this.#servers.isPostgres(name) ? usage?.own : usage?.peak) ?? 0;
    }
    const pids = [...this.#followed.values()].map(({ pid }) => pid);
    for (const [name, last] of this.#followed) {
      const usage = treeUsage(last.pid, pids) ?? last;
      cpu[name] = Math.max(usage.cpu, last.cpu) - last.before;
      peak[name] = Math.max(usage.peak, last.peak);
    }
    await this[Symbol.asyncDispose]();
    if (this.#failure) throw this.#failure.error;
    return { seconds, units, startSeconds: this.#startSeconds, cpu, startCpu: this.#startCpu, peak, wal: this.#wal };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#client.end();
  }

  async #look(): Promise<void> {
    for (const last of this.#followed.values()) {
      const usage = usageOf(last.pid);
      if (!usage) continue;
      last.cpu = usage.cpu;
      last.peak = Math.max(last.peak, usage.peak);
    }
    if (this.#slot === '') return;
    const { rows } = await this.#client.query<{ active: string } & Record<keyof WalUse, string>>(walQuery(this.#slot));
    for (const { active, kept, unacknowledged } of rows) {
      if (active === 'true') this.started();
      this.#wal ??= { kept: 0, unacknowledged: 0 };
      this.#wal.kept = Math.max(this.#wal.kept, Number(kept) / MIB);
      this.#wal.unacknowledged = Math.max(this.#wal.unacknowledged, Number(unacknowledged) / MIB);
    }
  }
}

function walQuery(slot: string): pg.QueryConfig {
  return {
    name: 'bench-wal',
    text: `SELECT (r.pid IS NOT NULL)::text AS active,
        coalesce(pg_current_wal_lsn() - s.restart_lsn, 0) AS kept,
        coalesce(r.sent_lsn - s.confirmed_flush_lsn, 0) AS unacknowledged
      FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid AND r.state <> 'startup'
      WHERE s.slot_name = $1`,
    values: [slot],
  };
}

function cpuOfServers({ processes }: BenchServers): Map<string, number> {
  return new Map(Object.entries(processes).map(([name, pid]) => [name, treeUsage(pid)?.cpu ?? 0]));
}
