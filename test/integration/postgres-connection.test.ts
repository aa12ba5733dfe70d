import { execFileSync } from 'node:child_process';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unprivilegedAccount } from '../../deploy/local/account.ts';
import type { PostgresServer } from '../../deploy/local/postgres-server.ts';
import { connect, type PostgresEndpoint } from '../../shared/postgres/connection.ts';
import type { TlsSettings } from '../../shared/postgres/tls.ts';
import { eventually } from '../support/eventually.ts';
import { type Own, ownPostgres, temporaryDir } from '../support/own-servers.ts';

const options = { applicationName: 'test', end: 'source' } as const;

/** A CA, a server certificate of it for `localhost`, a client's for `certain`, and a CA that nobody trusts. */
function makeCertificates() {
  const dir = temporaryDir('certificates');
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const authority = (name: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  const signed = (name: string, common: string, extensions: string) => {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${common}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    writeFileSync(join(dir, `${name}.ext`), extensions);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  };
  authority('ca');
  authority('stranger');
  signed('server', 'localhost', 'subjectAltName=DNS:localhost');
  signed('client', 'certain', '');
  openssl('rsa', '-aes256', '-passout', 'pass:secret', '-in', 'client.key', '-out', 'locked.key');
  const account = unprivilegedAccount();
  for (const file of ['server.key', 'server.pem', 'ca.pem']) {
    if (account) chownSync(join(dir, file), account.uid, account.gid);
  }
  const text = (file: string) => readFileSync(join(dir, file), 'utf8');
  return { path: (file: string) => join(dir, file), text };
}

describe('TLS as libpq has it', () => {
  let server: Own<PostgresServer>;
  let certificates: ReturnType<typeof makeCertificates>;

  beforeAll(async () => {
    certificates = makeCertificates();
    server = await ownPostgres({
      password: 'right',
      settings: {
        ssl: 'on',
        listen_addresses: 'localhost',
        ssl_cert_file: certificates.path('server.pem'),
        ssl_key_file: certificates.path('server.key'),
        ssl_ca_file: certificates.path('ca.pem'),
      },
    });
    const client = await connect(endpoint({ mode: 'require' }), options);
    await client.query("CREATE ROLE certain LOGIN; CREATE ROLE plain LOGIN PASSWORD 'right'");
    const { rows } = await client.query<{ hba_file: string }>('SHOW hba_file');
    const file = rows[0]?.hba_file ?? '';
    const rules = [
      'hostssl all certain all cert',
      'hostnossl all plain all scram-sha-256',
      'hostssl all plain all reject',
    ];
    writeFileSync(file, `${rules.join('\n')}\n${readFileSync(file, 'utf8')}`);
    await client.query('SELECT pg_reload_conf()');
    const read = "SELECT count(*) FROM pg_hba_file_rules WHERE user_name = '{certain}'";
    await eventually(async () => (await client.query<{ count: string }>(read)).rows[0]?.count === '1');
    await client.end();
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  function endpoint(tls: TlsSettings, changes: Partial<PostgresEndpoint> = {}): PostgresEndpoint {
    const { port } = server;
    return { host: 'localhost', port, database: 'postgres', user: 'postgres', password: 'right', tls, ...changes };
  }

  /** Whether the session is encrypted, and as whom. */
  async function session(place: PostgresEndpoint): Promise<string> {
    const client = await connect(place, options);
    try {
      const sql = `SELECT CASE WHEN ssl THEN 'tls' ELSE 'plain' END || ' ' || current_user AS session
        FROM pg_stat_ssl WHERE pid = pg_backend_pid()`;
      return (await client.query<{ session: string }>(sql)).rows[0]?.session ?? '';
    } finally {
      await client.end();
    }
  }

  const refused = (place: PostgresEndpoint) => expect(connect(place, options)).rejects;
  const tlsFailed = { code: 'POSTGRES_TLS_FAILED', retry: 'stop' };

  test('disable, prefer, require: as asked, without looking at the certificate', async () => {
    expect(await session(endpoint({ mode: 'disable' }))).toBe('plain postgres');
    expect(await session(endpoint({ mode: 'prefer' }))).toBe('tls postgres');
    expect(await session(endpoint({ mode: 'require' }))).toBe('tls postgres');
  });

  test('a CA makes require check the chain', async () => {
    expect(await session(endpoint({ mode: 'require', ca: certificates.text('ca.pem') }))).toBe('tls postgres');
    await refused(endpoint({ mode: 'require', ca: certificates.text('stranger.pem') })).toMatchObject(tlsFailed);
  });

  test('verify-ca checks the chain and not the name', async () => {
    const ca = certificates.text('ca.pem');
    expect(await session(endpoint({ mode: 'verify-ca', ca }))).toBe('tls postgres');
    expect(await session(endpoint({ mode: 'verify-ca', ca }, { host: '127.0.0.1' }))).toBe('tls postgres');
    await refused(endpoint({ mode: 'verify-ca', ca: certificates.text('stranger.pem') })).toMatchObject(tlsFailed);
    await refused(endpoint({ mode: 'verify-ca' })).toMatchObject(tlsFailed);
  });

  test('verify-full checks the name too, also where the host is an address', async () => {
    const ca = certificates.text('ca.pem');
    expect(await session(endpoint({ mode: 'verify-full', ca }))).toBe('tls postgres');
    await refused(endpoint({ mode: 'verify-full', ca }, { host: '127.0.0.1' })).toMatchObject(tlsFailed);
    await refused(endpoint({ mode: 'verify-full', ca: certificates.text('stranger.pem') })).toMatchObject(tlsFailed);
  });

  test('a client certificate, its key with or without a password', async () => {
    const user = { user: 'certain', password: undefined };
    const tls = { mode: 'require', certificate: certificates.text('client.pem') } as const;
    expect(await session(endpoint({ ...tls, key: certificates.text('client.key') }, user))).toBe('tls certain');
    const locked = { ...tls, key: certificates.text('locked.key') };
    expect(await session(endpoint({ ...locked, keyPassword: 'secret' }, user))).toBe('tls certain');
    await refused(endpoint({ ...locked, keyPassword: 'wrong' }, user)).toMatchObject(tlsFailed);
    await refused(endpoint({ mode: 'require' }, user)).toMatchObject({ code: 'POSTGRES_AUTH_FAILED' });
  });

  test('prefer goes on without TLS where the server admits only that, and require does not', async () => {
    expect(await session(endpoint({ mode: 'prefer' }, { user: 'plain' }))).toBe('plain plain');
    await refused(endpoint({ mode: 'require' }, { user: 'plain' })).toMatchObject({ code: 'POSTGRES_AUTH_FAILED' });
  });

  test('a wrong password is not tried again without TLS', async () => {
    await refused(endpoint({ mode: 'prefer' }, { password: 'wrong' })).toMatchObject({
      code: 'POSTGRES_AUTH_FAILED',
      retry: 'stop',
      message: expect.stringContaining(`source (localhost:${server.port}/postgres)`),
    });
  });

  test('a walsender session takes the same way', async () => {
    const client = await connect(endpoint({ mode: 'require' }), { ...options, replication: true });
    expect((await client.query('IDENTIFY_SYSTEM')).rows).toHaveLength(1);
    await client.end();
  });
});

describe('a server without TLS', () => {
  let server: Own<PostgresServer>;

  beforeAll(async () => {
    server = await ownPostgres({ password: 'right' });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const place = (changes: Partial<PostgresEndpoint> = {}): PostgresEndpoint => ({
    host: '127.0.0.1',
    port: server.port,
    database: 'postgres',
    user: 'postgres',
    password: 'right',
    tls: { mode: 'prefer' },
    ...changes,
  });

  test('prefer goes on in plaintext, require does not', async () => {
    const client = await connect(place(), options);
    await client.end();
    await expect(connect(place({ tls: { mode: 'require' } }), options)).rejects.toMatchObject({
      code: 'POSTGRES_TLS_FAILED',
      message: expect.stringContaining('does not offer TLS'),
    });
  });

  test.each([
    ['a wrong password', { password: 'wrong' }, 'POSTGRES_AUTH_FAILED'],
    ['no password', { password: undefined }, 'POSTGRES_AUTH_FAILED'],
    ['an unknown account', { user: 'nobody here' }, 'POSTGRES_AUTH_FAILED'],
    ['a missing database', { database: 'not there' }, 'POSTGRES_DATABASE_MISSING'],
    ['a closed port', { port: 1 }, 'POSTGRES_UNREACHABLE'],
    ['an unknown host', { host: 'no-such-host.invalid' }, 'POSTGRES_UNREACHABLE'],
  ])('%s', async (_name, changes, code) => {
    await expect(connect(place(changes), options)).rejects.toMatchObject({ code });
  });

  test("neither role nor database change a session's settings", async () => {
    const client = await connect(place(), options);
    await client.query(`ALTER ROLE postgres SET DateStyle = 'SQL, DMY';
      ALTER ROLE postgres SET search_path = public;
      ALTER ROLE postgres SET statement_timeout = '1s';
      ALTER ROLE postgres SET idle_session_timeout = '1s';
      ALTER ROLE postgres SET transaction_timeout = '1s';
      ALTER ROLE postgres SET extra_float_digits = 0;
      ALTER ROLE postgres SET bytea_output = 'escape';
      ALTER ROLE postgres SET IntervalStyle = 'sql_standard';
      ALTER ROLE postgres SET TimeZone = 'Asia/Kathmandu'`);
    const again = await connect(place(), options);
    const { rows } = await again.query<{ values: string }>(
      `SELECT string_agg(setting, '|' ORDER BY name COLLATE "C") AS values FROM pg_settings WHERE name IN ('DateStyle', 'search_path',
        'statement_timeout', 'idle_session_timeout', 'transaction_timeout', 'extra_float_digits', 'bytea_output',
        'IntervalStyle', 'TimeZone')`,
    );
    expect(rows[0]?.values.split('|')).toEqual(['ISO, MDY', 'postgres', 'UTC', 'hex', '3', '0', '', '0', '0']);
    await Promise.all([client.end(), again.end()]);
  });
});
