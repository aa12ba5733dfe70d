import { type ErrorCode, SluiceError } from '../../../shared/errors.ts';
import type { EndDescription } from '../../../shared/postgres/connection.ts';
import { postgresFailure, sqlstate } from '../../../shared/postgres/failure.ts';

/** What START_REPLICATION and decoding fail with, by SQLSTATE; `started`: WAL was already flowing. */
export function startReplicationFailure(error: unknown, source: EndDescription, started: boolean): SluiceError {
  const code = codeOf(sqlstate(error), started);
  if (code === null) return postgresFailure(error, source);
  const message = error instanceof Error ? error.message : String(error);
  return new SluiceError(code, `source (${source.host}:${source.port}/${source.database}): ${message}`, {
    cause: error,
  });
}

function codeOf(state: string | undefined, started: boolean): ErrorCode | null {
  switch (state) {
    case '55000': // object_not_in_prerequisite_state: the slot was invalidated
      return 'SOURCE_SLOT_INVALID';
    case '42704': // undefined_object
      return started ? 'SOURCE_PUBLICATION_CHANGED' : 'SOURCE_SLOT_MISSING';
    default:
      return null;
  }
}
