import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { SluiceError } from '../../shared/errors.ts';
import { reachableDir, unprivilegedAccount } from './account.ts';
import { freePort } from './ports.ts';
import { type PostgresMajor, postgresHome } from './postgres-install.ts';
import { type Account, childrenOf, end, ended, type LocalProcess, launch, reaped, signal } from './process.ts';
import { orEnd, untilReady } from './ready.ts';

export interface PostgresOptions {
  /** Default: 17. */
  readonly major?: PostgresMajor;
  /** Initialised when it does not exist. */
  readonly dataDir: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Of postgresql.conf, in addition to and above the defaults below. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Of the superuser; asked for by SCRAM. */
  readonly password?: string;
  /** Called when the process runs, before it answers: what starts must be known, should we be killed meanwhile. */
  readonly onLaunch?: (server: PostgresServer) => void;
}

export interface PostgresServer {
  /** As superuser, database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly process: LocalProcess;
  /** Not the one asked for when the account that PostgreSQL runs as cannot get there. */
  readonly dataDir: string;
  readonly log: string;
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Fast stop, if it runs, and start on the same data and port. */
  restart(): Promise<void>;
  /** SIGKILL to all its processes, as if the machine had failed; `restart` starts it again. */
  kill(): Promise<void>;
}

const superuser = 'postgres';
const defaults: Readonly<Record<string, string | number>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_connections: 200,
  max_replication_slots: 50,
  max_wal_senders: 50,
  max_prepared_transactions: 20,
  max_wal_size: '4GB',
  shared_buffers: '256MB',
  TimeZone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %a ',
};

/** @throws SluiceError LOCAL_STACK_FAILED with the end of the server's log */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const major = options.major ?? 17;
  const account = unprivilegedAccount();
  const home = await postgresHome(major, account);
  const dataDir = reachableDir(options.dataDir, account);
  const password = options.password ?? 'sluice';
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await initialise({ home, dataDir, password, account });

  const port = await freePort(options.port);
  const url = `postgresql://${superuser}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
  const log = `${dataDir}.log`;
  const settings = { ...defaults, ...options.settings, port };
  const args = ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const start = () => launch({ command: join(home, 'bin', 'postgres'), args, cwd: dataDir, log, account, env });
  const ready = () => untilReady({ what: `PostgreSQL ${major}`, process: running, log }, () => postgresAnswers(url));

  let running = await start();
  const server: PostgresServer = {
    url,
    port,
    dataDir,
    log,
    stop: (mode = 'fast') => end(running, mode === 'fast' ? 'SIGINT' : 'SIGQUIT'),
    kill: () => killAll(running),
    get process() {
      return running;
    },
    get pid() {
      return running.pid;
    },
    async restart() {
      await server.stop();
      running = await start();
      await ready();
    },
  };
  options.onLaunch?.(server);
  await orEnd(running, ready());
  return server;
}

const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };

interface InitialiseOptions {
  readonly home: string;
  readonly dataDir: string;
  readonly password: string;
  readonly account: Account | undefined;
}

async function initialise({ home, dataDir, password, account }: InitialiseOptions): Promise<void> {
  const passwordFile = `${dataDir}.password`;
  mkdirSync(dirname(dataDir), { recursive: true });
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account) for (const path of [dataDir, passwordFile]) chownSync(path, account.uid, account.gid);
  const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8';
  const args = ['-D', dataDir, '-U', superuser, '-E', 'UTF8', `--locale=${locale}`, '--no-sync'];
  const auth = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  try {
    await promisify(execFile)(join(home, 'bin', 'initdb'), [...args, ...auth], { cwd: dataDir, env, ...account });
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    throw new SluiceError('LOCAL_STACK_FAILED', `initdb failed: ${stderr?.trim() || String(cause)}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** Backends are in sessions of their own: they are found by their parent, stopped so that it starts no more. */
async function killAll(postmaster: LocalProcess): Promise<void> {
  await signal(postmaster, 'SIGSTOP');
  const backends = await childrenOf(postmaster.pid);
  await signal(postmaster, 'SIGKILL');
  await Promise.all(backends.map((backend) => signal(backend, 'SIGKILL')));
  await Promise.all([postmaster, ...backends].map((process) => ended(process, 10_000)));
  // As long as the pid is there the next server believes that this one holds the data.
  await reaped(postmaster, 10_000);
}

export async function postgresAnswers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end().catch(() => {});
  }
}
