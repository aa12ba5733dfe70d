import { connect } from '../../../shared/postgres/connection.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import type { Task } from '../../../shared/task/task.ts';

/** Logical messages reach pgoutput from 14 on. */
const LOGICAL_MESSAGES = 140_000;
export const FENCE_PREFIX = 'sluice.fence';

/**
 * Writes a transaction to the source's WAL that capture sees, and returns an LSN F: everything that committed
 * before this call commits below F, and the first counted record with lsn >= F comes soon.
 */
export async function emitFence(task: Task): Promise<Lsn> {
  const client = await connect(task.source.endpoint, { applicationName: 'sluice fence', end: 'source' });
  try {
    const sql =
      (await serverVersion(client)) >= LOGICAL_MESSAGES
        ? `SELECT pg_logical_emit_message(true, '${FENCE_PREFIX}', $1::text) AS lsn, $1::text`
        : 'SELECT pg_current_wal_insert_lsn() AS lsn, txid_current(), $1::text';
    const { rows } = await client.query<{ lsn: string }>(sql, [task.name]);
    return parseLsn(rows[0]?.lsn ?? '');
  } finally {
    await client.end();
  }
}
