import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import type { AppliedPosition } from '../bookkeeping/position.ts';
import { type Destination, destinationFailure } from '../bookkeeping/session.ts';

/** An object that a value names: function, other object, schema; more than one function or operator of the name. */
const nameStates = new Set(['42883', '42704', '3F000', '42725']);

/**
 * Classes data exception and integrity violation, a row that ON CONFLICT would touch twice, and a value that names
 * what is not there.
 */
export function isOfTheData(error: unknown): boolean {
  if (isSluiceError(error)) return false;
  const state = sqlstate(error);
  return (
    state !== undefined &&
    (state.startsWith('22') || state.startsWith('23') || state === '21000' || nameStates.has(state))
  );
}

/** Undefined table and undefined column. */
const missingStates = new Set(['42P01', '42703']);

export function classed(error: unknown, destination: Destination): SluiceError {
  const state = sqlstate(error);
  if (!isSluiceError(error) && state !== undefined && missingStates.has(state)) {
    return new SluiceError('DESTINATION_TABLE_MISSING', (error as Error).message, { cause: error });
  }
  return destinationFailure(error, destination);
}

/** The destination refused this change. */
export function refused(error: unknown, event: ChangeEvent): SluiceError {
  const { shape, transaction, position } = event;
  const { constraint } = error as { constraint?: string };
  return new SluiceError('DESTINATION_ROW_REFUSED', `${placeOf(event)}: ${(error as Error).message}`, {
    context: {
      table: quoteTable(shape),
      position,
      commitLsn: formatLsn(transaction.commitLsn),
      sqlstate: sqlstate(error),
      constraint,
    },
    cause: error,
  });
}

/** A deferred constraint spoke up: which change it was nobody knows. */
export function refusedAtCommit(error: unknown, next: AppliedPosition): SluiceError {
  return new SluiceError(
    'DESTINATION_ROW_REFUSED',
    `at the commit of position ${next.position}, commit LSN ${formatLsn(next.lsn)}: ${(error as Error).message}`,
    { context: { position: next.position, sqlstate: sqlstate(error) }, cause: error },
  );
}

/** Table, row key, position and LSN of a change, for the message of an error that stops the task. */
export function placeOf({ shape, before, after, position, transaction }: ChangeEvent): string {
  const row = before ?? after;
  const parts = shape.columns.flatMap(({ name, key }, index) => {
    const value = row?.[index];
    return key && (typeof value === 'string' || value === null) ? [`${name}=${value}`] : [];
  });
  const key = parts.length > 0 ? ` key ${parts.join(', ')}` : '';
  return `${quoteTable(shape)}${key}, position ${position}, commit LSN ${formatLsn(transaction.commitLsn)}`;
}
