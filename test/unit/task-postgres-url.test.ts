import { describe, expect, it } from 'vitest';
import { parsePostgresUrl } from '../../shared/task/postgres-url.ts';

/** With the first address as host and port. */
function parse(url: string) {
  const parsed = parsePostgresUrl(url);
  return { ...parsed, ...parsed.addresses[0] };
}

describe('parsePostgresUrl', () => {
  it.each([
    ['postgres://h/d', { host: 'h', port: 5432, database: 'd' }],
    ['postgresql://u:p%40ss%2F%25@h:1/my%20db', { user: 'u', password: 'p@ss/%', port: 1, database: 'my db' }],
    ['postgresql://u@/d', { host: 'localhost', user: 'u', database: 'd' }],
    ['postgresql://u@%2Fvar%2Frun%2Fpostgresql/d', { host: '/var/run/postgresql' }],
    ['postgresql:///d?host=/tmp&port=6000&user=u&password=p', { host: '/tmp', port: 6000, user: 'u', password: 'p' }],
    ['postgresql://u@[::1]:5/d', { host: '::1', port: 5 }],
    ['postgresql://only@h', { database: 'only' }],
    ['postgresql://u:a:b@h/d', { password: 'a:b' }],
    ['postgresql://u:@h/d', { user: 'u', password: undefined }],
    [
      'postgresql://h/d?sslmode=verify-ca&sslrootcert=%2Fca.pem&sslcert=c&sslkey=k&sslpassword=s',
      {
        sslMode: 'verify-ca',
        rootCertificate: '/ca.pem',
        certificate: 'c',
        key: 'k',
        keyPassword: 's',
      },
    ],
  ])('reads %s', (url, expected) => {
    expect(parse(url)).toMatchObject(expected);
  });

  it.each([
    [
      'postgresql://u@h1,h2:7,[::1]:8/d',
      [
        ['h1', 5432],
        ['h2', 7],
        ['::1', 8],
      ],
    ],
    [
      'postgresql://u@h1,h2/d?port=6000',
      [
        ['h1', 6000],
        ['h2', 6000],
      ],
    ],
    [
      'postgresql:///d?host=h1,%2Ftmp&port=1,',
      [
        ['h1', 1],
        ['/tmp', 5432],
      ],
    ],
    [
      'postgresql://h1:1,h2:2/d?host=h1,h2',
      [
        ['h1', 1],
        ['h2', 2],
      ],
    ],
    [
      'postgresql://,h2/d',
      [
        ['localhost', 5432],
        ['h2', 5432],
      ],
    ],
  ])('reads the hosts of %s', (url, expected) => {
    const { addresses } = parsePostgresUrl(`${url}${url.includes('?') ? '&' : '?'}target_session_attrs=read-write`);
    expect(addresses.map(({ host, port }) => [host, port])).toEqual(expected);
  });

  it('reads which kind of session is asked for', () => {
    for (const target of ['any', 'read-write', 'primary']) {
      expect(parsePostgresUrl(`postgresql://h/d?target_session_attrs=${target}`).target).toBe(target);
    }
    expect(parsePostgresUrl('postgresql://h/d').target).toBeUndefined();
  });

  it.each([
    ['http://h/d', 'not a URL'],
    ['postgresql://h', 'no database'],
    ['postgresql://h1,h2/d?port=1,2,3', 'as many ports as hosts'],
    ['postgresql://h1,h2/d?host=h1,h3', 'host stands twice'],
    ['postgresql://h1,h2:x/d', 'port'],
    ['postgresql://h:abc/d', 'port'],
    ['postgresql://h:70000/d', 'port'],
    ['postgresql://u:50%@h/d', 'percent'],
    ['postgresql://h/d?sslmode=allow', 'sslmode allow'],
    ['postgresql://h/d?target_session_attrs=standby', 'target_session_attrs standby'],
    ['postgresql://h/d?connect_timeout=1', 'connect_timeout is not supported'],
    ['postgresql://h/d?port=1&port=2', 'twice'],
    ['postgresql://h/d?host=g', 'host stands twice'],
  ])('refuses %s', (url, expected) => {
    expect(() => parsePostgresUrl(url)).toThrow(expected);
  });

  it('never repeats a password in its messages', () => {
    for (const url of ['postgresql:/u:hunter2@h/d', 'postgresql://u:hunter2@h:x/d', 'postgresql://u:hunter2%@h/d']) {
      expect(() => parsePostgresUrl(url)).toThrow(expect.not.stringContaining('hunter2'));
    }
  });
});
