import pg from 'pg';
import type { Cleanup } from './cleanup.ts';
import { eventually } from './eventually.ts';

export interface CreateOptions {
  /** URL of a superuser. */
  readonly server: string;
  readonly name: string;
  readonly cleanup: Pick<Cleanup, 'defer'>;
  /** false: the server goes with the test. */
  readonly drops: boolean;
}

/** Rows as text, so that what a test compares is what PostgreSQL says. */
export type Row = Record<string, string | null>;

/** A database of one test. Its queries go by one connection, opened anew when the server was restarted. */
export class TestDatabase {
  readonly name: string;
  readonly url: string;
  #client: pg.Client | null = null;

  private constructor(name: string, url: string) {
    this.name = name;
    this.url = url;
  }

  /** Makes the database; the cleanup removes it with every slot in it. */
  static async create({ server, name, cleanup, drops }: CreateOptions): Promise<TestDatabase> {
    await onServer(server, (client) => client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE template0`));
    if (drops) cleanup.defer(() => drop(server, name));
    return TestDatabase.at({ server, name, cleanup });
  }

  /** A database that is there already. */
  static at({ server, name, cleanup }: Omit<CreateOptions, 'drops'>): TestDatabase {
    const url = new URL(server);
    url.pathname = `/${encodeURIComponent(name)}`;
    const database = new TestDatabase(name, url.toString());
    cleanup.defer(() => database.disconnect());
    return database;
  }

  /** Several statements are allowed where there are no parameters; the rows are the last one's. */
  async query(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    this.#client ??= await connect(this.url, () => {
      this.#client = null;
    });
    const given = parameters.length > 0 ? this.#client.query(sql, [...parameters]) : this.#client.query(sql);
    const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await given;
    return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
  }

  /** The only value of the only row. */
  async value(sql: string, parameters: readonly unknown[] = []): Promise<string | null> {
    const [row] = await this.query(sql, parameters);
    return Object.values(row ?? {})[0] ?? null;
  }

  /** A connection of its own; the caller ends it. */
  connect(): Promise<pg.Client> {
    return connect(this.url, () => {});
  }

  async disconnect(): Promise<void> {
    await this.#client?.end().catch(() => {});
    this.#client = null;
  }
}

const textOnly = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

async function connect(url: string, onEnd: () => void): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, types: textOnly, application_name: 'sluice test' });
  client.on('error', onEnd);
  client.on('end', onEnd);
  await client.connect();
  return client;
}

async function onServer<T>(server: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(server, () => {});
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A slot stays active until its walsender has noticed that it was ended. */
async function drop(server: string, name: string): Promise<void> {
  await onServer(server, (client) =>
    eventually(
      async () => {
        await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
        const slots = 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1';
        await client.query(slots, [name]);
        await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)}`);
      },
      { what: `dropping database ${name}` },
    ),
  );
}
