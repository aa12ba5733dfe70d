import type { CaptureContext } from './capture.ts';
import { publishSchema } from './schema/publish-schema.ts';
import { type Keeper, openKeeper } from './snapshot/keeper.ts';
import { runSnapshot } from './snapshot/snapshot.ts';
import { SNAPSHOT_PARTITIONS, type Start } from './start/start-path.ts';

export interface SnapshotPart extends CaptureContext {
  readonly start: Start;
  /** Of the slot that this attempt made. */
  readonly keeper: Keeper | null;
  readonly signal: AbortSignal;
}

/** Publishes the schema and the rows that no earlier attempt has published. */
export async function readSource({ task, kafka, log, start, keeper, signal }: SnapshotPart): Promise<void> {
  const { writer: manifest } = start;
  const tables = start.tables.map(({ selected, shape }) => ({ ...selected, shape }));
  const reshaped = new Set(start.tables.flatMap((table) => (table.reshaped ? [table.shape.oid] : [])));
  // Without a stream one snapshot serves schema and rows; beside a stream that runs, each read takes its own.
  const own = keeper ?? (await ownKeeper());
  try {
    if (task.types.has('schema') && manifest.state.schema === null && own) {
      await publishSchema({ task, keeper: own, manifest, kafka });
      log.info({ task: task.name }, 'schema published');
    }
    if (task.types.has('full')) {
      const forRows = keeper ?? (task.types.has('incremental') ? null : own);
      const partitions = SNAPSHOT_PARTITIONS;
      await runSnapshot({ task, tables, reshaped, keeper: forRows, manifest, kafka, partitions, signal });
      log.info({ task: task.name }, 'rows published');
    }
  } finally {
    await own?.close();
  }

  async function ownKeeper(): Promise<Keeper | null> {
    const needed = task.types.has('schema') && manifest.state.schema === null;
    if (!needed && task.types.has('incremental')) return null;
    return openKeeper({ endpoint: task.source.endpoint, applicationName: `sluice ${task.name} keeper` });
  }
}
