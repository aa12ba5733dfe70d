import type { PostgresEndpoint } from '../../shared/postgres/connection.ts';

/** The endpoint that a test's URL names, without TLS. */
export function postgresEndpoint(url: string): PostgresEndpoint {
  const { hostname, port, pathname, username, password } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    database: decodeURIComponent(pathname.slice(1)),
    user: decodeURIComponent(username),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    tls: { mode: 'disable' },
  };
}
