import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable, tableKey } from '../../../shared/postgres/identifiers.ts';
import { columnDifferences } from '../../../shared/schema-objects/column-differences.ts';
import { readObjects, writeDifferences } from '../../../shared/schema-objects/stored-objects.ts';
import type { SinkIdentity } from '../bookkeeping/tables.ts';

/**
 * Compares the tables that were there before the task with the source's, and remembers how they differ.
 * @throws SluiceError DESTINATION_TABLE_MISSING naming every column that rows need and that is missing.
 */
export async function checkExistingTables(client: pg.Client, identity: SinkIdentity): Promise<void> {
  const tables = (await readObjects(client, identity)).flatMap(({ number, kind, state, schema, name, columns }) =>
    kind === 'table' && state === 'existed' && columns ? [{ number, schema, name, columns }] : [],
  );
  if (tables.length === 0) return;
  const found = await columnDifferences(client, tables);
  const byKey = new Map(found.map((difference) => [tableKey(difference.table), difference]));
  const sentences = tables.map((table) => [table.number, byKey.get(tableKey(table))?.sentences ?? []] as const);
  await writeDifferences(client, identity, new Map(sentences));
  const lacking = found.filter(({ missing }) => missing.length > 0);
  if (lacking.length === 0) return;
  const list = lacking.map(({ table, missing }) => `${quoteTable(table)} (${missing.join(', ')})`).join(', ');
  throw new SluiceError('DESTINATION_TABLE_MISSING', `tables that exist at the destination lack columns: ${list}`, {
    remedy: 'Add the columns as they are at the source, or drop the tables, then start the task again.',
  });
}
