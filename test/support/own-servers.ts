import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
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

export interface StandbyOptions {
  /** Of the physical slot at the primary that it streams from. */
  readonly slot: string;
  readonly settings?: PostgresOptions['settings'];
}

/** A standby of the primary, which is restarted for it: its data is copied while it stands. */
export function ownStandby(
  primary: PostgresServer,
  { slot, settings = {} }: StandbyOptions,
): Promise<Own<PostgresServer>> {
  const { username, password } = new URL(primary.url);
  const conninfo = `host=127.0.0.1 port=${primary.port} user=${username} password=${password} dbname=postgres`;
  const upstream = { primary_conninfo: conninfo, primary_slot_name: slot, hot_standby_feedback: 'on' };
  const start = async (dir: string) => {
    const dataDir = join(dir, 'data');
    await primary.stop();
    // cp, since it keeps owner and rights; the marker's content does not matter.
    execFileSync('cp', ['-a', primary.dataDir, dataDir]);
    execFileSync('cp', ['-a', join(dataDir, 'PG_VERSION'), join(dataDir, 'standby.signal')]);
    await primary.restart();
    await keepWal(primary, slot);
    return startPostgres({ dataDir, settings: { ...carefreePostgres, ...upstream, ...settings } });
  };
  return own('standby', start, (server) => server.kill());
}

async function keepWal({ url }: PostgresServer, slot: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
  await client.end();
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
