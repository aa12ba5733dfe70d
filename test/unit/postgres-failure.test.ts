import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { isRetryableState, postgresFailure } from '../../shared/postgres/failure.ts';

const where = { end: 'source', host: 'db', port: 5432, database: 'shop', user: 'me' } as const;

function serverError(code: string): Error {
  const error = new pg.DatabaseError('the server says so', 10, 'error');
  error.code = code;
  return error;
}

const systemError = (code: string) => Object.assign(new Error(code), { code });

describe('the code of what pg throws', () => {
  test.each([
    ['28P01', 'POSTGRES_AUTH_FAILED'],
    ['28000', 'POSTGRES_AUTH_FAILED'],
    ['3D000', 'POSTGRES_DATABASE_MISSING'],
    ['42501', 'POSTGRES_PERMISSION_DENIED'],
    ['42P01', 'POSTGRES_FAILED'],
    ['57P01', 'POSTGRES_UNREACHABLE'],
    ['53300', 'POSTGRES_RESOURCES'],
    ['53100', 'POSTGRES_RESOURCES'],
    ['57P04', 'POSTGRES_FAILED'],
  ])('SQLSTATE %s is %s', (state, code) => {
    const failure = postgresFailure(serverError(state), where);
    expect(failure.code).toBe(code);
    expect(failure.context['sqlstate']).toBe(state);
    expect(failure.message).toBe('source (db:5432/shop): the server says so');
  });

  test.each([
    ['ECONNREFUSED', 'POSTGRES_UNREACHABLE'],
    ['ENOTFOUND', 'POSTGRES_UNREACHABLE'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'POSTGRES_TLS_FAILED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'POSTGRES_TLS_FAILED'],
    ['ERR_OSSL_PEM_NO_START_LINE', 'POSTGRES_TLS_FAILED'],
  ])('%s is %s', (errno, code) => {
    expect(postgresFailure(systemError(errno), where).code).toBe(code);
  });

  test('a mistake of ours is not taken for a broken connection', () => {
    expect(postgresFailure(new TypeError('x is undefined'), where).code).toBe('INTERNAL');
    expect(postgresFailure(new Error('Connection terminated unexpectedly'), where).code).toBe('POSTGRES_UNREACHABLE');
  });

  test('all addresses of a host are named', () => {
    const error = new AggregateError([new Error('no ::1'), new Error('no 127.0.0.1')]);
    expect(postgresFailure(error, where).message).toContain('no ::1; no 127.0.0.1');
  });
});

test('what may be tried again', () => {
  for (const state of ['08006', '40001', '40P01', '53300', '57P03', '55006'])
    expect(isRetryableState(state)).toBe(true);
  for (const state of ['23505', '42P01', '57P04', '22P02']) expect(isRetryableState(state)).toBe(false);
});
