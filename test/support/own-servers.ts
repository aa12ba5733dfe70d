import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaServer, startKafka } from '../../deploy/local/kafka-server.ts';
import { type PostgresOptions, type PostgresServer, startPostgres } from '../../deploy/local/postgres-server.ts';
import { type RegistryServer, startRegistry } from '../../deploy/local/registry-server.ts';

/** Servers of one test, which may stop, kill and restart them; they end, and their data goes, with the scope. */
export type Own<Server> = Server & AsyncDisposable;

/** Losing what was not yet on disk does not matter to tests: processes are killed here, never machines. */
export const carefreePostgres = { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB' };

export function ownPostgres(options: Omit<PostgresOptions, 'dataDir'> = {}): Promise<Own<PostgresServer>> {
  const settings = { ...carefreePostgres, ...options.settings };
  const start = (dir: string) => startPostgres({ ...options, dataDir: join(dir, 'data'), settings });
  return own('postgres', start, (server) => server.kill());
}

/** `advertised`: ports that something listens at, before each broker. */
export function ownKafka(brokers: 1 | 3 = 1, advertised?: readonly number[]): Promise<Own<KafkaServer>> {
  const options = { brokers, ...(advertised ? { advertised } : {}) };
  const killAll = (server: KafkaServer) => Promise.all(server.brokers.map((broker) => broker.kill()));
  return own('kafka', (dataDir) => startKafka({ ...options, dataDir }), killAll);
}

export function ownRegistry(): Promise<Own<RegistryServer>> {
  return own(
    'registry',
    (dataDir) => startRegistry({ dataDir }),
    (server) => server.kill(),
  );
}

/** What a stopped server holds, kept apart, so that it can be put back as if restored from a backup. */
export interface DataCopy extends Disposable {
  /** Of a stopped server. */
  restore(): void;
}

export function dataCopy({ dataDir }: { readonly dataDir: string }): DataCopy {
  const copy = `${dataDir}.copy-${randomUUID()}`;
  // cp, since it keeps owner and rights.
  const put = (from: string, to: string) => {
    rmSync(to, { recursive: true, force: true });
    execFileSync('cp', ['-a', from, to]);
  };
  put(dataDir, copy);
  return {
    restore: () => put(copy, dataDir),
    [Symbol.dispose]: () => rmSync(copy, { recursive: true, force: true }),
  };
}

/** PostgreSQL may run as another account, which must be able to pass. */
export function temporaryDir(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `sluice-test-${name}-`));
  chmodSync(dir, 0o711);
  return dir;
}

async function own<Server extends object>(
  name: string,
  start: (dir: string) => Promise<Server>,
  kill: (server: Server) => Promise<unknown>,
): Promise<Own<Server>> {
  const dir = temporaryDir(name);
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  try {
    const server = await start(dir);
    const dispose = async () => {
      await kill(server);
      remove();
    };
    return Object.assign(server, { [Symbol.asyncDispose]: dispose });
  } catch (error) {
    remove();
    throw error;
  }
}
