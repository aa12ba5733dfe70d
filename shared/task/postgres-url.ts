import { type TlsMode, tlsModes } from '../postgres/tls.ts';

/** A connection URL of libpq, taken apart; certificates are still paths. */
export interface PostgresUrl {
  readonly host: string;
  readonly port: number;
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
] as const;
type Parameter = (typeof parameters)[number];

/**
 * Reads `postgresql://user:password@host:port/database?sslmode=...`, each part percent-decoded; the host may be a
 * percent-encoded directory of a unix socket. Reads no environment.
 * @throws Error whose message says what is wrong, without the URL, which may hold a password.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parsePostgresUrl(text: string): PostgresUrl {
  const match = FORM.exec(text);
  if (!match) throw new Error('not a URL of the form postgresql://user@host:port/database');
  const [, account, authority, path, query] = match;
  const query_ = readQuery(query ?? '');
  const [user, password] = readAccount(account);
  const { host, port } = readAuthority(authority ?? '');
  const database = once('database', decode(path), query_.dbname) ?? query_.user ?? user;
  if (!database) throw new Error('no database is named');
  return {
    host: once('host', host, query_.host) ?? 'localhost',
    port: readPort(once('port', port, query_.port)),
    database,
    user: once('user', user, query_.user),
    password: once('password', password, query_.password),
    sslMode: readMode(query_.sslmode),
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

function readAuthority(authority: string): { host: string | undefined; port: string | undefined } {
  if (authority.includes(',')) throw new Error('several hosts are not supported: name one');
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority);
  if (!match) throw new Error('host and port cannot be told apart; an IPv6 address stands in [ ]');
  return { host: decode(match[1]?.replace(/^\[(.*)\]$/, '$1')), port: decode(match[2]) };
}

function readQuery(query: string): Partial<Record<Parameter, string>> {
  const found: Partial<Record<Parameter, string>> = {};
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

function readMode(text: string | undefined): TlsMode | undefined {
  if (text === undefined) return undefined;
  const mode = tlsModes.find((known) => known === text);
  if (mode === undefined) throw new Error(`sslmode ${text} is not supported; known are ${tlsModes.join(', ')}`);
  return mode;
}

/** The one of two places that is given. Empty parts count as not given. */
function once(what: string, inPlace: string | undefined, inQuery: string | undefined): string | undefined {
  if (inPlace !== undefined && inQuery !== undefined && inPlace !== inQuery) {
    throw new Error(`the ${what} stands twice, in its place and as a parameter, with different values`);
  }
  return inPlace ?? inQuery;
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
