import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { type Destination, destinationFailure, openWriter } from '../bookkeeping/session.ts';
import { type CompleteRead, checkLedger, markLoaded, readRowKey } from '../bookkeeping/table-loads.ts';
import { mergeStaging, stagingOf } from './staging.ts';

export interface Merged {
  readonly read: CompleteRead;
  /** Rows that were added; for the others a row of the same key was there. */
  readonly added: bigint;
}

/**
 * Ends the load of all tables that were there before the task, in one transaction: before it none of them holds a
 * row of the source, after it nothing is read again for the load.
 * @throws SluiceError MANIFEST_BROKEN when ledger or staging table hold other totals than the read;
 *   DESTINATION_ROW_REFUSED
 */
export async function mergeTables(
  destination: Destination,
  replicaRole: boolean,
  reads: readonly CompleteRead[],
): Promise<Merged[]> {
  const client = await openWriter(destination, { role: 'merge', replicaRole });
  const merged: Merged[] = [];
  try {
    await client.query('BEGIN');
    for (const read of reads) merged.push({ read, added: await mergeOne(client, destination, read) });
    failpoint('sink.in-merge');
    await client.query('COMMIT');
    return merged;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function mergeOne(client: pg.Client, destination: Destination, read: CompleteRead): Promise<bigint> {
  const { identity } = destination;
  const { table, totals } = read;
  try {
    await checkLedger(client, identity, [read]);
    const key = await readRowKey(client, identity, table);
    const added = await mergeStaging(client, { table, staging: stagingOf(identity, table), key, rows: totals.rows });
    await markLoaded(client, identity, [read]);
    return added;
  } catch (error) {
    const state = sqlstate(error);
    if (!state?.startsWith('22') && !state?.startsWith('23')) throw destinationFailure(error, destination);
    const message = `rows of the first read of ${quoteTable(table)}: ${(error as Error).message}`;
    const context = { table: quoteTable(table), sqlstate: state };
    throw new SluiceError('DESTINATION_ROW_REFUSED', message, { context, cause: error });
  }
}
