import { describe, expect, it } from 'vitest';
import { parsePostgresUrl } from '../../shared/task/postgres-url.ts';

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
    expect(parsePostgresUrl(url)).toMatchObject(expected);
  });

  it.each([
    ['http://h/d', 'not a URL'],
    ['postgresql://h', 'no database'],
    ['postgresql://h1,h2/d', 'several hosts'],
    ['postgresql://h:abc/d', 'port'],
    ['postgresql://h:70000/d', 'port'],
    ['postgresql://u:50%@h/d', 'percent'],
    ['postgresql://h/d?sslmode=allow', 'sslmode allow'],
    ['postgresql://h/d?target_session_attrs=any', 'target_session_attrs is not supported'],
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
