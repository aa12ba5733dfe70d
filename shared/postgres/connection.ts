import pg from 'pg';
import { postgresFailure } from './failure.ts';
import { type TlsSettings, tlsOptions } from './tls.ts';

/** One end of a task, as resolved from the task definition: secrets are already read. */
export interface PostgresEndpoint {
  /** Host name, address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string | undefined;
  readonly tls: TlsSettings;
}

export interface ConnectOptions {
  readonly applicationName: string;
  /** `source` and `destination` in messages; also chooses nothing else: both ends get the same session. */
  readonly end: 'source' | 'destination';
  /** Opens a walsender session (`replication=database`). */
  readonly replication?: boolean;
}

/**
 * Settings of every session, at both ends, given at startup so that neither role nor database defaults apply:
 * they decide how values are written as text, and which rows are seen (row_security).
 */
const sessionSettings: Readonly<Record<string, string>> = {
  row_security: 'off',
  search_path: '',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmloption: 'content',
  lock_timeout: '0',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  default_transaction_isolation: 'read\\ committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  synchronous_commit: 'on',
  client_min_messages: 'warning',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
};

export function startupOptions(): string {
  return Object.entries(sessionSettings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** Values arrive as PostgreSQL wrote them: text, never parsed. */
const textOnly = { getTypeParser: () => (value: string) => value };

export function clientConfig(endpoint: PostgresEndpoint, options: ConnectOptions): pg.ClientConfig {
  return {
    host: endpoint.host,
    port: endpoint.port,
    database: endpoint.database,
    user: endpoint.user,
    ...(endpoint.password === undefined ? {} : { password: endpoint.password }),
    ssl: tlsOptions(endpoint.tls, endpoint.host),
    application_name: options.applicationName,
    options: startupOptions(),
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: textOnly as unknown as pg.CustomTypesConfig,
    ...(options.replication ? { replication: 'database' } : {}),
  } as pg.ClientConfig;
}

/**
 * Connects. All values of results are text (`string | null`).
 * @throws SluiceError POSTGRES_UNREACHABLE, POSTGRES_AUTH_FAILED, POSTGRES_DATABASE_MISSING, POSTGRES_TLS_FAILED, ...
 */
export async function connect(endpoint: PostgresEndpoint, options: ConnectOptions): Promise<pg.Client> {
  try {
    return await connectOnce(endpoint, options);
  } catch (error) {
    const plaintext = endpoint.tls.mode === 'prefer' && isTlsUnsupported(error);
    if (!plaintext) throw postgresFailure(error, describeEnd(endpoint, options.end));
  }
  try {
    return await connectOnce({ ...endpoint, tls: { mode: 'disable' } }, options);
  } catch (error) {
    throw postgresFailure(error, describeEnd(endpoint, options.end));
  }
}

async function connectOnce(endpoint: PostgresEndpoint, options: ConnectOptions): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(endpoint, options));
  // An idle connection that breaks must not end the process: the next query reports it.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The message of pg when the server answers `N` to SSLRequest: it has no code, so its class is all there is to go by. */
function isTlsUnsupported(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections';
}

export function describeEnd(endpoint: PostgresEndpoint, end: 'source' | 'destination'): EndDescription {
  return { end, host: endpoint.host, port: endpoint.port, database: endpoint.database, user: endpoint.user };
}

export interface EndDescription {
  readonly end: 'source' | 'destination';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}
