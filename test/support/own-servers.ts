import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaServer, startKafka } from '../../deploy/local/kafka-server.ts';
import { type PostgresOptions, type PostgresServer, startPostgres } from '../../deploy/local/postgres-server.ts';
import { type RegistryServer, startRegistry } from '../../deploy/local/registry-server.ts';

/** Servers of one test, which may stop, kill and restart them; they end, and their data goes, with the scope. */
export type Own<Server> = Server & AsyncDisposable;

/** Losing what was not yet on disk does not matter to tests: processes are killed here, never machines. */
const carefree = { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB' };

export async function ownPostgres(options: Omit<PostgresOptions, 'dataDir'> = {}): Promise<Own<PostgresServer>> {
  const dir = temporaryDir('postgres');
  const server = await startPostgres({
    ...options,
    dataDir: join(dir, 'data'),
    settings: { ...carefree, ...options.settings },
  });
  return own(server, dir, () => server.kill());
}

export async function ownKafka(brokers: 1 | 3 = 1): Promise<Own<KafkaServer>> {
  const dir = temporaryDir('kafka');
  const server = await startKafka({ brokers, dataDir: dir });
  return own(server, dir, () => Promise.all(server.brokers.map((broker) => broker.kill())));
}

export async function ownRegistry(): Promise<Own<RegistryServer>> {
  const dir = temporaryDir('registry');
  const server = await startRegistry({ dataDir: dir });
  return own(server, dir, () => server.kill());
}

/** PostgreSQL may run as another account, which must be able to pass. */
export function temporaryDir(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `sluice-test-${name}-`));
  chmodSync(dir, 0o711);
  return dir;
}

function own<Server extends object>(server: Server, dir: string, kill: () => Promise<unknown>): Own<Server> {
  return Object.assign(server, {
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  });
}
