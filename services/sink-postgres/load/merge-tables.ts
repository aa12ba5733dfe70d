import type pg from 'pg';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { type CompleteRead, checkLedger, markLoaded, readRowKey } from '../bookkeeping/table-loads.ts';
import type { SinkIdentity } from '../bookkeeping/tables.ts';
import { mergeStaging, stagingOf } from './staging.ts';

export interface Merged {
  readonly read: CompleteRead;
  /** Rows that were added; for the others a row of the same key was there. */
  readonly added: bigint;
}

/**
 * Ends the load of all tables that were there before the task, in one transaction: before it none of them holds a
 * row of the source, after it nothing is read again for the load.
 * @throws SluiceError MANIFEST_BROKEN when ledger or staging table hold other totals than the read.
 */
export async function mergeTables(
  client: pg.Client,
  identity: SinkIdentity,
  reads: readonly CompleteRead[],
): Promise<Merged[]> {
  const merged: Merged[] = [];
  await client.query('BEGIN');
  try {
    for (const read of reads) {
      const { table, totals } = read;
      await checkLedger(client, identity, read);
      const key = await readRowKey(client, identity, table);
      const staging = stagingOf(identity, table);
      merged.push({ read, added: await mergeStaging(client, { table, staging, key, rows: totals.rows }) });
      await markLoaded(client, identity, read);
    }
    failpoint('sink.in-merge');
    await client.query('COMMIT');
    return merged;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
