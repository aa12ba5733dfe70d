import type pg from 'pg';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { only, truncateTables } from './statements.ts';
import type { DestinationTable } from './target.ts';

const FEATURE_NOT_SUPPORTED = '0A000';

/** As TRUNCATE ... RESTART IDENTITY does it, for serial and identity columns. */
const RESTART_SEQUENCES = `
  SELECT setval(s.seqrelid, s.seqstart, false) FROM pg_sequence s
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype IN ('a', 'i')
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::regclass[])`;

/**
 * Empties the tables, inside the client's transaction. Under a foreign key of a table outside of the list the server
 * refuses TRUNCATE, in replica role too, and CASCADE would empty what the source did not: the rows are deleted then.
 * A list names leaves of partitioned tables, so that one that refers to them from a partitioned table is outside of it.
 */
export async function emptyTables(
  client: pg.Client,
  tables: readonly DestinationTable[],
  restartIdentity: boolean,
): Promise<void> {
  await client.query('SAVEPOINT truncating');
  try {
    await client.query(truncateTables(tables, restartIdentity).text);
  } catch (error) {
    if (sqlstate(error) !== FEATURE_NOT_SUPPORTED) throw error;
    await client.query('ROLLBACK TO truncating');
    for (const table of tables) await client.query(`DELETE FROM ${only(table)}`);
    if (restartIdentity) await client.query(RESTART_SEQUENCES, [tables.map(quoteTable)]);
  }
  await client.query('RELEASE truncating');
}
