import { type PostgresAddress, type SessionTarget, sessionTargets } from '../postgres/connection.ts';
import { type TlsMode, tlsModes } from '../postgres/tls.ts';

/** A connection URL of libpq, taken apart; certificates are still paths. */
export interface PostgresUrl {
  /** At least one, in the order in which they are tried. */
  readonly addresses: readonly [PostgresAddress, ...PostgresAddress[]];
  readonly target: SessionTarget | undefined;
  readonly database: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly sslMode: TlsMode | undefined;
  /** Path, or `system` for the roots that Node trusts. */
  readonly rootCertificate: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly keyPassword: string | undefined;
}

const DEFAULT_PORT = 5432;
const FORM = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const parameters = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'target_session_attrs',
] as const;
type Parameter = (typeof parameters)[number];

/**
 * Reads `postgresql://user:password@host:port/database?sslmode=...`, each part percent-decoded; the host may be a
 * percent-encoded directory of a unix socket, and there may be several `host:port`, with commas. Reads no environment.
 * @throws Error whose message says what is wrong, without the URL, which may hold a password.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parsePostgresUrl(text: string): PostgresUrl {
  const match = FORM.exec(text);
  if (!match) throw new Error('not a URL of the form postgresql://user@host:port/database');
  const [, account, authority, path, query] = match;
  const query_ = readQuery(query ?? '');
  const [user, password] = readAccount(account);
  const database = once('database', decode(path), query_.dbname) ?? query_.user ?? user;
  if (!database) throw new Error('no database is named');
  return {
    addresses: readAddresses(authority ?? '', query_),
    target: oneOf('target_session_attrs', sessionTargets, query_.target_session_attrs),
    database,
    user: once('user', user, query_.user),
    password: once('password', password, query_.password),
    sslMode: oneOf('sslmode', tlsModes, query_.sslmode),
    rootCertificate: query_.sslrootcert,
    certificate: query_.sslcert,
    key: query_.sslkey,
    keyPassword: query_.sslpassword,
  };
}

function readAccount(account: string | undefined): [string | undefined, string | undefined] {
  if (account === undefined) return [undefined, undefined];
  const colon = account.indexOf(':');
  if (colon < 0) return [decode(account), undefined];
  return [decode(account.slice(0, colon)), decode(account.slice(colon + 1))];
}

function readAddresses(authority: string, query: Query): PostgresUrl['addresses'] {
  const inPlace = authority.split(',').map(readAddress);
  const hosts = listOnce(
    'host',
    inPlace.map(({ host }) => host),
    query.host,
  );
  const ports = listOnce(
    'port',
    inPlace.map(({ port }) => port),
    query.port,
  );
  if (ports.length !== 1 && ports.length !== hosts.length) throw new Error('there are not as many ports as hosts');
  const addressAt = (i: number) => ({
    host: hosts[i] ?? 'localhost',
    port: readPort(ports.length === 1 ? ports[0] : ports[i]),
  });
  return [addressAt(0), ...hosts.slice(1).map((_, i) => addressAt(i + 1))];
}

function readAddress(text: string): { host: string | undefined; port: string | undefined } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text);
  if (!match) throw new Error('host and port cannot be told apart; an IPv6 address stands in [ ]');
  return { host: decode(match[1]?.replace(/^\[(.*)\]$/, '$1')), port: decode(match[2]) };
}

type Query = Partial<Record<Parameter, string>>;

function readQuery(query: string): Query {
  const found: Query = {};
  for (const pair of query.split('&').filter((part) => part !== '')) {
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals)) as Parameter;
    if (!parameters.includes(name))
      throw new Error(`parameter ${name} is not supported; known are ${parameters.join(', ')}`);
    if (found[name] !== undefined) throw new Error(`parameter ${name} stands twice`);
    const value = equals < 0 ? undefined : decode(pair.slice(equals + 1));
    if (value === undefined) throw new Error(`parameter ${name} has no value`);
    found[name] = value;
  }
  return found;
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new Error('the port is not a number from 1 to 65535');
  return port;
}

function oneOf<T extends string>(name: Parameter, values: readonly T[], text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const value = values.find((known) => known === text);
  if (value === undefined) throw new Error(`${name} ${text} is not supported; known are ${values.join(', ')}`);
  return value;
}

/** The one of two places that is given. Empty parts count as not given. */
function once(what: string, inPlace: string | undefined, inQuery: string | undefined): string | undefined {
  if (inPlace !== undefined && inQuery !== undefined && inPlace !== inQuery) {
    throw new Error(`the ${what} stands twice, in its place and as a parameter, with different values`);
  }
  return inPlace ?? inQuery;
}

/** Parts of a list that are not given are undefined. */
function listOnce(what: string, inPlace: (string | undefined)[], inQuery: string | undefined): (string | undefined)[] {
  const given = inPlace.some((part) => part !== undefined);
  const text = once(what, given ? inPlace.join(',') : undefined, inQuery);
  return given || text === undefined ? inPlace : text.split(',').map((part) => (part === '' ? undefined : part));
}

function decode(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const decoded = decodeURIComponent(text);
    if (decoded.includes('\0')) throw new Error();
    return decoded;
  } catch {
    throw new Error('a percent sign is not followed by two hexadecimal digits of valid UTF-8; write % as %25');
  }
}
