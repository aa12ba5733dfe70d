import pg from 'pg';
import type { Cleanup } from '../support/cleanup.ts';
import { TestDatabase } from '../support/database.ts';
import { ownKafka, ownPostgres, ownRegistry } from '../support/own-servers.ts';
import type { SluiceProcess } from '../support/processes.ts';

/** As a user would run them: nothing that a failing machine would lose. Checkpoints and vacuum come when we say. */
export const postgresSettings = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  shared_buffers: '1GB',
  wal_level: 'logical',
  max_wal_size: '32GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  max_worker_processes: 32,
  max_logical_replication_workers: 24,
};

/** The servers that all workloads of a run share. */
export class BenchServers {
  readonly source: string;
  readonly destination: string;
  readonly brokers: string;
  readonly registry: string;
  /** Process ids, by the names that reports use. */
  readonly processes: Readonly<Record<string, number>>;

  readonly #cleanup: Cleanup;

  private constructor(cleanup: Cleanup, at: Awaited<ReturnType<typeof startServers>>) {
    this.#cleanup = cleanup;
    this.source = at.source.url;
    this.destination = at.destination.url;
    this.brokers = at.kafka.bootstrap.join(',');
    this.registry = at.registry.url;
    this.processes = {
      source: at.source.pid,
      destination: at.destination.pid,
      broker: at.kafka.brokers[0]?.pid ?? 0,
      registry: at.registry.pid,
    };
  }

  /** Its processes share most of their memory. */
  isPostgres(process: string): boolean {
    return process === 'source' || process === 'destination';
  }

  static async start(cleanup: Cleanup): Promise<BenchServers> {
    return new BenchServers(cleanup, await startServers(cleanup));
  }

  /** A process that must not outlive an interrupted run. */
  endWithRun(started: SluiceProcess): void {
    this.#cleanup.defer(() => (started.running ? started[Symbol.asyncDispose]() : undefined));
  }

  sourceDatabase(name: string, cleanup: Cleanup): Promise<TestDatabase> {
    return TestDatabase.create({ server: this.source, name: `source_${name}`, cleanup, drops: true });
  }

  destinationDatabase(name: string, cleanup: Cleanup): Promise<TestDatabase> {
    return TestDatabase.create({ server: this.destination, name: `destination_${name}`, cleanup, drops: true });
  }

  connectSource(): Promise<pg.Client> {
    return connect(this.source);
  }

  /** Both servers begin a timed piece alike: nothing dirty, each page's first change written in full. */
  async checkpoint(): Promise<void> {
    for (const server of [this.source, this.destination]) {
      const client = await connect(server);
      await client.query('CHECKPOINT');
      await client.end();
    }
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: 'sluice bench' });
  // What fails then says so; a server that ends with the run must not end the clean-up.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function startServers(cleanup: Cleanup) {
  const kept = async <Server extends AsyncDisposable>(starting: Promise<Server>): Promise<Server> => {
    const server = await starting;
    cleanup.defer(() => server[Symbol.asyncDispose]());
    return server;
  };
  const settings = postgresSettings;
  const [source, destination, kafka, registry] = await Promise.all([
    kept(ownPostgres({ settings })),
    kept(ownPostgres({ settings })),
    kept(ownKafka()),
    kept(ownRegistry()),
  ]);
  return { source, destination, kafka, registry };
}
