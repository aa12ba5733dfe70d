import { type ErrorCode, type ErrorContext, isSluiceError, SluiceError } from '../errors.ts';
import { errorType } from './kafkajs.ts';

/**
 * Every error of Kafka is classed here, once: by Kafka's error code, kafkajs's error class, or Node's errno.
 * @see https://kafka.apache.org/protocol.html#protocol_error_codes
 */

export const KafkaCode = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  RECORD_LIST_TOO_LARGE: 18,
  TOPIC_AUTHORIZATION_FAILED: 29,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  TOPIC_ALREADY_EXISTS: 36,
} as const;

/**
 * Another broker leads the partition now, or will soon: refresh metadata and ask again.
 * LEADER_NOT_AVAILABLE, NOT_LEADER, BROKER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, KAFKA_STORAGE_ERROR,
 * FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE.
 */
const leaderCodes: ReadonlySet<number> = new Set([5, 6, 8, 9, 56, 74, 75, 78]);

export function isLeaderCode(code: number): boolean {
  return leaderCodes.has(code);
}

const tooLarge: ReadonlySet<number> = new Set([KafkaCode.MESSAGE_TOO_LARGE, KafkaCode.RECORD_LIST_TOO_LARGE]);
/** Topic, group, cluster and transactional-id authorization; unsupported and illegal SASL states. */
const unauthorized: ReadonlySet<number> = new Set([29, 30, 31, 53, 33, 34, 58]);

const tlsErrno = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/;

/** `otherwise`: what a code means that says nothing about rights, sizes or topics. */
export function codeFailure(code: number, what: string, otherwise: ErrorCode, context: ErrorContext = {}): SluiceError {
  const sluiceCode: ErrorCode = tooLarge.has(code)
    ? 'KAFKA_RECORD_TOO_LARGE'
    : unauthorized.has(code)
      ? 'KAFKA_AUTH_FAILED'
      : code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
        ? 'KAFKA_TOPIC_MISSING'
        : otherwise;
  return new SluiceError(sluiceCode, `${what}: ${errorType(code)}`, { context });
}

/** Wraps what kafkajs or the network threw. `otherwise`: for what is neither rights nor connection. */
export function kafkaFailure(
  error: unknown,
  what: string,
  otherwise: ErrorCode,
  context: ErrorContext = {},
): SluiceError {
  if (isSluiceError(error)) return error;
  const inner = innermost(error);
  return new SluiceError(failureCode(inner, otherwise), `${what}: ${inner.message}`, { context, cause: error });
}

interface KafkajsError extends Error {
  readonly code?: string | number | undefined;
  readonly errors?: readonly KafkajsError[];
}

function failureCode(error: KafkajsError, otherwise: ErrorCode): ErrorCode {
  if (error.name === 'KafkaJSSASLAuthenticationError') return 'KAFKA_AUTH_FAILED';
  if (typeof error.code === 'number') return codeFailure(error.code, '', otherwise).code;
  if (typeof error.code === 'string' && tlsErrno.test(error.code)) return 'KAFKA_TLS_FAILED';
  return isConnectionError(error) || typeof error.code === 'string' ? 'KAFKA_UNREACHABLE' : otherwise;
}

const connectionErrors = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSLockTimeout',
]);

function isConnectionError(error: Error): boolean {
  return connectionErrors.has(error.name);
}

/** Aggregates and retry wrappers of kafkajs hide the error that says something. */
function innermost(error: unknown): KafkajsError {
  if (!(error instanceof Error)) return new Error(String(error));
  const aggregate = (error as KafkajsError).errors?.[0];
  if (aggregate) return innermost(aggregate);
  const wraps = error.name === 'KafkaJSNonRetriableError' || error.name === 'KafkaJSNumberOfRetriesExceeded';
  return wraps && error.cause instanceof Error ? innermost(error.cause) : error;
}
