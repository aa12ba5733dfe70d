import pg from 'pg';
import { type ErrorCode, type ErrorContext, isSluiceError, SluiceError } from '../errors.ts';
import type { EndDescription } from './connection.ts';

const { DatabaseError } = pg;

/** SQLSTATE of an error that a PostgreSQL server sent; undefined for everything else. */
export function sqlstate(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code;
  if (isSluiceError(error)) return sqlstate(error.cause);
  return undefined;
}

const byState: Readonly<Record<string, ErrorCode>> = {
  '28000': 'POSTGRES_AUTH_FAILED',
  '28P01': 'POSTGRES_AUTH_FAILED',
  '3D000': 'POSTGRES_DATABASE_MISSING',
  '42501': 'POSTGRES_PERMISSION_DENIED',
};

/** Classes and states after which a new attempt may succeed without an operator: the server or a neighbour was in the way. */
const retryableClasses = new Set(['08', '40', '53', '57', '58']);
const retryableStates = new Set(['55P03', '55006']);
/** 57P04: the database was dropped. 53100 disk full and 57014 cancelled stay retryable. */
const finalStates = new Set(['57P04']);

/** Codes of Node's TLS and of OpenSSL's chain check (X509_V_ERR_*). */
const tlsCodes = /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_|INVALID_|EPROTO)/;

/** Wraps what pg threw into a SluiceError, classed by SQLSTATE or errno, never by text. */
export function postgresFailure(error: unknown, where: EndDescription | ErrorContext): SluiceError {
  if (isSluiceError(error)) return error;
  const message = error instanceof Error ? describe(error) : String(error);
  return placed(failureCode(error, sqlstate(error)), message, where, error);
}

/** An error of one end: the end's place before the message, its description and the SQLSTATE in the context. */
export function placed(
  code: ErrorCode,
  message: string,
  where: EndDescription | ErrorContext,
  cause: unknown,
): SluiceError {
  const place = 'host' in where ? `${where.end} (${where.host}:${where.port}/${where.database}): ` : '';
  const state = sqlstate(cause);
  const context = { ...where, ...(state === undefined ? {} : { sqlstate: state }) } as ErrorContext;
  return new SluiceError(code, `${place}${message}`, { context, cause });
}

function failureCode(error: unknown, state: string | undefined): ErrorCode {
  if (state !== undefined) {
    const known = byState[state];
    if (known) return known;
    if (state.startsWith('53')) return 'POSTGRES_RESOURCES';
    return isRetryableState(state) ? 'POSTGRES_UNREACHABLE' : 'POSTGRES_FAILED';
  }
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && tlsCodes.test(code)) return 'POSTGRES_TLS_FAILED';
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) return 'INTERNAL';
  return 'POSTGRES_UNREACHABLE';
}

export function isRetryableState(state: string): boolean {
  if (finalStates.has(state)) return false;
  return retryableStates.has(state) || retryableClasses.has(state.slice(0, 2));
}

/** AggregateError of a dual-stack connect has an empty message; its parts say what happened. */
function describe(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((part) => describe(part as Error)).join('; ');
  return error.message || error.name;
}
