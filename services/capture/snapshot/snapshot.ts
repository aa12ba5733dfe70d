import { tableKey } from '../../../shared/postgres/identifiers.ts';
import type { SelectedTable } from '../../../shared/task/selected-tables.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { openSnapshotRun, type SnapshotOptions } from './snapshot-run.ts';

/**
 * Reads the tables that the manifest does not hold a complete read of, and publishes their rows.
 * Returns when all are read; one failure ends all.
 * @throws SluiceError SOURCE_TABLE_RESHAPED, SOURCE_TABLE_REWRITTEN, KAFKA_*, POSTGRES_*, EPOCH_LOST; the signal's reason
 */
export async function runSnapshot(options: SnapshotOptions): Promise<void> {
  const pending = options.tables.filter((table) => !isRead(options.manifest, table));
  if (pending.length === 0) return;
  await using run = await openSnapshotRun(options);
  const readings = await run.startReadings(pending);
  const keeper = options.keeper ?? (await run.openKeeper());
  await run.readAll(readings, keeper);
}

function isRead(manifest: ManifestWriter, table: SelectedTable): boolean {
  const state = manifest.state.reads.get(tableKey(table.shape))?.state;
  return state === 'read' || state === 'dropped';
}
