import pg from 'pg';
import { type ErrorCode, isSluiceError, SluiceError } from '../errors.ts';
import { placed, postgresFailure, sqlstate } from './failure.ts';
import { readSocket } from './read-socket.ts';
import { watchSession } from './session-watch.ts';
import { type TlsSettings, tlsOptions } from './tls.ts';

export interface PostgresAddress {
  /** Host name, address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
}

/** Values of libpq's target_session_attrs; `read-write` and `primary` are one, since our sessions may always write. */
export const sessionTargets = ['any', 'read-write', 'primary'] as const;
export type SessionTarget = (typeof sessionTargets)[number];

/** One end of a task, as resolved from the task definition: secrets are already read. */
export interface PostgresEndpoint extends PostgresAddress {
  /** Tried in this order when no session of the asked kind can be had at `host` and `port`. */
  readonly further?: readonly PostgresAddress[];
  /** Default: any. */
  readonly target?: SessionTarget;
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
  /** For very much that is read by `setInPlace`: who takes pg's socket over in another way needs an ordinary one. */
  readonly readsInPlace?: boolean;
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
  lc_monetary: 'C',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  quote_all_identifiers: 'off',
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

/** Settings of newer versions, which an older server would refuse at startup: 14 and 17 brought these. */
const newerSettings = `SELECT set_config(name, '0', false)
  FROM unnest('{idle_session_timeout,transaction_timeout}'::text[]) AS name WHERE current_setting(name, true) <> '0'`;

/** Values arrive as PostgreSQL wrote them: text, never parsed. */
const textOnly = { getTypeParser: () => (value: string) => value };

export function clientConfig(endpoint: PostgresEndpoint, options: ConnectOptions): pg.ClientConfig {
  const ssl = tlsOptions(endpoint.tls, endpoint.host);
  return {
    host: endpoint.host,
    port: endpoint.port,
    database: endpoint.database,
    user: endpoint.user,
    ...(endpoint.password === undefined ? {} : { password: endpoint.password }),
    ssl,
    ...(options.readsInPlace && !ssl ? { stream: readSocket } : {}),
    application_name: options.applicationName,
    options: startupOptions(),
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: textOnly as unknown as pg.CustomTypesConfig,
    ...(options.replication ? { replication: 'database' } : {}),
  } as pg.ClientConfig;
}

const passedOver: ReadonlySet<ErrorCode> = new Set(['POSTGRES_UNREACHABLE', 'POSTGRES_DATABASE_MISSING']);

/**
 * Connects to the first of the endpoint's addresses that answers and is what it asks for; as with libpq, a server that
 * answers and refuses ends the search; but one that lacks the database may be a standby that is behind. All values of results are text (`string | null`).
 * @throws SluiceError POSTGRES_UNREACHABLE, POSTGRES_AUTH_FAILED, POSTGRES_DATABASE_MISSING, POSTGRES_TLS_FAILED, ...
 */
export async function connect(endpoint: PostgresEndpoint, options: ConnectOptions): Promise<pg.Client> {
  const failures: SluiceError[] = [];
  for (const address of addressesOf(endpoint)) {
    try {
      return await connectTo({ ...endpoint, ...address }, options);
    } catch (error) {
      if (!isSluiceError(error) || !passedOver.has(error.code)) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (failures.every(({ code }) => code === 'POSTGRES_DATABASE_MISSING') || failures.length === 1) throw first;
  const message = failures.map((failure) => failure.message).join('; ');
  throw new SluiceError('POSTGRES_UNREACHABLE', message, { cause: first });
}

export function addressesOf({ host, port, further = [] }: PostgresEndpoint): readonly PostgresAddress[] {
  return [{ host, port }, ...further];
}

/** The endpoint with no other address than that of the client: what belongs to one server goes to one server. */
export function endpointOf(client: pg.Client, endpoint: PostgresEndpoint): PostgresEndpoint {
  return { ...endpoint, host: client.host, port: client.port, further: [] };
}

const NO_TLS = 'the server does not offer TLS';
/** Servers that do not offer TLS: with sslmode=prefer they are not asked for it each time. */
const withoutTls = new Set<string>();

/** As libpq with sslmode=prefer: plaintext when TLS cannot be had, or when the server admits no TLS session. */
async function connectTo(endpoint: PostgresEndpoint, options: ConnectOptions): Promise<pg.Client> {
  const server = `${endpoint.host}:${endpoint.port}`;
  const plain: PostgresEndpoint = { ...endpoint, tls: { mode: 'disable' } };
  if (endpoint.tls.mode !== 'prefer') return await connectClassed(endpoint, options);
  try {
    return await connectClassed(withoutTls.has(server) ? plain : endpoint, options);
  } catch (error) {
    if (sqlstate(error) !== '28000' && !isSluiceError(error, 'POSTGRES_TLS_FAILED')) throw error;
    if (withoutTls.delete(server)) return await connectTo(endpoint, options);
    if ((error as Error).message.includes(NO_TLS)) withoutTls.add(server);
  }
  return await connectClassed(plain, options);
}

async function connectClassed(endpoint: PostgresEndpoint, options: ConnectOptions): Promise<pg.Client> {
  try {
    return await connectOnce(endpoint, options);
  } catch (error) {
    throw isSluiceError(error) ? error : connectFailure(error, endpoint, options.end);
  }
}

const END_MS = 2_000;

class Session extends pg.Client {
  /** Does not wait for ever for a server that does not say goodbye. */
  override async end(): Promise<void> {
    const timer = setTimeout(() => this.connection.stream.destroy(), END_MS);
    try {
      await super.end();
    } finally {
      clearTimeout(timer);
    }
  }
}

async function connectOnce(endpoint: PostgresEndpoint, options: ConnectOptions): Promise<pg.Client> {
  const config = clientConfig(endpoint, options);
  const client = new Session(config);
  // An idle connection that breaks must not end the process: the next query reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(newerSettings);
    if (endpoint.target && endpoint.target !== 'any') await requirePrimary(client, endpoint, options.end);
    await watchSession(client, config);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}

/** @throws SluiceError POSTGRES_UNREACHABLE: another address, or the same one after a promotion, may be a primary */
async function requirePrimary(client: pg.Client, endpoint: PostgresEndpoint, end: ConnectOptions['end']) {
  const { rows } = await client.query<{ standby: string }>('SELECT pg_is_in_recovery() AS standby');
  if (rows[0]?.standby === 'f') return;
  const message = `the server is a standby, target_session_attrs is ${endpoint.target}`;
  throw placed('POSTGRES_UNREACHABLE', message, describeEnd(endpoint, end), undefined);
}

/**
 * pg's own messages have no code, so their text is all there is to go by; connection.test.ts holds them fast.
 * Everything that a server or the operating system says has one.
 */
function connectFailure(error: unknown, endpoint: PostgresEndpoint, end: 'source' | 'destination'): SluiceError {
  const where = describeEnd(endpoint, end);
  const text = error instanceof Error && !('code' in error) ? error.message : '';
  if (text === 'The server does not support SSL connections') {
    return placed('POSTGRES_TLS_FAILED', NO_TLS, where, error);
  }
  if (text.startsWith('SASL: ') && !endpoint.password) {
    return placed('POSTGRES_AUTH_FAILED', 'the server asks for a password, and none is given', where, error);
  }
  if (text.startsWith('SASL: ')) return placed('POSTGRES_AUTH_FAILED', text, where, error);
  return postgresFailure(error, where);
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
