import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

export interface NativeOptions {
  readonly source: TestDatabase;
  /** Holds the tables. */
  readonly destination: TestDatabase;
  /** Of publication, subscription and slot. */
  readonly name: string;
  /** Default: all of schema public. */
  readonly tables?: string;
  /** Whether it copies the rows that are there. */
  readonly copies?: boolean;
}

const PATIENCE_MS = 1_800_000;

/** PostgreSQL's own logical replication, as it comes. */
export class NativeReplication {
  readonly slot: string;
  readonly destination: TestDatabase;
  readonly #source: TestDatabase;

  private constructor({ source, destination, name }: NativeOptions) {
    this.slot = name;
    this.#source = source;
    this.destination = destination;
  }

  /** It runs at once. */
  static async create(options: NativeOptions): Promise<NativeReplication> {
    const { source, destination, name, tables = 'TABLES IN SCHEMA public', copies = true } = options;
    await source.query(`CREATE PUBLICATION ${name} FOR ${tables}`);
    await destination.query(
      `CREATE SUBSCRIPTION ${name} CONNECTION '${conninfo(source)}' PUBLICATION ${name} WITH (copy_data = ${copies})`,
    );
    return new NativeReplication(options);
  }

  async enable(): Promise<void> {
    await this.destination.query(`ALTER SUBSCRIPTION ${this.slot} ENABLE`);
  }

  /** All tables hold what the source held, and what came since. */
  async synchronised(): Promise<void> {
    const waiting = `SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'`;
    await eventually(async () => (await this.destination.value(waiting)) === '0', {
      timeoutMs: PATIENCE_MS,
      intervalMs: 20,
      what: 'tables of the subscription being copied',
    });
  }

  /** What comes from here on waits at the source. */
  async disable(): Promise<void> {
    await this.destination.query(`ALTER SUBSCRIPTION ${this.slot} DISABLE`);
    const active = `SELECT active FROM pg_replication_slots WHERE slot_name = '${this.slot}'`;
    await eventually(async () => (await this.#source.value(active)) === 'f', { what: 'the end of the walsender' });
  }

  async drop(): Promise<void> {
    await this.destination.query(`DROP SUBSCRIPTION ${this.slot}`);
    await this.#source.query(`DROP PUBLICATION ${this.slot}`);
  }
}

function conninfo({ url }: TestDatabase): string {
  const { hostname, port, username, password, pathname } = new URL(url);
  const database = decodeURIComponent(pathname.slice(1));
  return `host=${hostname} port=${port} user=${username} password=${password} dbname=${database}`;
}
