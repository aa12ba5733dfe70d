import type pg from 'pg';
import { connect } from '../../../shared/postgres/connection.ts';
import { formatLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { Task } from '../../../shared/task/task.ts';
import { SinkRequest } from '../bookkeeping/requests.ts';
import { emitFence } from '../fence/emit-fence.ts';
import { type CompareProgress, compareEnds, type SnapshotPair, type TableComparison } from './compare-ends.ts';
import { makeConsistentPoint, openSharedSnapshot, openSnapshot } from './consistent-point.ts';
import { comparedTables } from './tables.ts';

export interface Comparison {
  readonly task: string;
  /** The source's WAL position at which both ends were compared; null when nothing is streamed. */
  readonly lsn: string | null;
  readonly equal: boolean;
  readonly tables: readonly TableComparison[];
  readonly rows: number;
  readonly seconds: number;
}

export interface CompareOptions {
  readonly task: Task;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  readonly report?: (progress: CompareProgress) => void;
}

/**
 * Compares source and destination at one point of the source's WAL, while writing and applying go on:
 *
 *   hold the sink - temporary slot at the source: consistent point F and a snapshot that sees what commits below F
 *   - the sink applies what commits below F and stands still - snapshot of the destination - the sink goes on
 *   - both snapshots are compared
 */
export async function compareAtFence(options: CompareOptions): Promise<Comparison> {
  const { task, report } = options;
  const started = performance.now();
  const { lsn, pairs } = await openPairs(options);
  try {
    const [first] = pairs;
    if (!first) throw new TypeError('no pair of snapshots');
    const tables = await comparedTables(first.source, first.destination, task);
    const results = await compareEnds(pairs, tables, report);
    return {
      task: task.name,
      lsn: lsn === null ? null : formatLsn(lsn),
      equal: results.every(({ equal }) => equal),
      tables: results,
      rows: results.reduce((sum, result) => sum + ('rows' in result ? result.rows.source : 0), 0),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    await Promise.allSettled(pairs.flatMap(({ source, destination }) => [source.end(), destination.end()]));
  }
}

interface OpenedPairs {
  readonly lsn: Lsn | null;
  readonly pairs: readonly SnapshotPair[];
}

async function openPairs(options: CompareOptions): Promise<OpenedPairs> {
  const { task } = options;
  const count = Math.min(task.snapshotParallelism, 4);
  if (!task.types.has('incremental')) {
    const source = await openSharedSnapshot(task.source.endpoint, 'source', count);
    return { lsn: null, pairs: paired(source, await openSharedSnapshot(task.destination, 'destination', count)) };
  }
  const control = await connect(task.destination, { applicationName: 'sluice compare', end: 'destination' });
  const request = new SinkRequest(control, task);
  try {
    await request.lock();
    try {
      return await atConsistentPoint(options, request, count);
    } finally {
      await request.withdraw();
    }
  } finally {
    await control.end();
  }
}

async function atConsistentPoint(options: CompareOptions, request: SinkRequest, count: number): Promise<OpenedPairs> {
  const { task, timeoutSeconds, signal } = options;
  const deadline = performance.now() + timeoutSeconds * 1000;
  await request.ask('hold', null);
  await request.reached(deadline, signal);
  const point = await makeConsistentPoint(task.source.endpoint, timeoutSeconds);
  const opened: pg.Client[] = [];
  try {
    for (let n = 0; n < count; n++) opened.push(await openSnapshot(task.source.endpoint, 'source', point.snapshot));
    await request.ask('run-to', point.lsn);
    // Without it an idle source would let the manifest reach the point at the next heartbeat only.
    await emitFence(task);
    await request.reached(deadline, signal);
    return { lsn: point.lsn, pairs: paired(opened, await openSharedSnapshot(task.destination, 'destination', count)) };
  } catch (error) {
    await Promise.allSettled(opened.map((client) => client.end()));
    throw error;
  } finally {
    await point.release();
  }
}

function paired(sources: readonly pg.Client[], destinations: readonly pg.Client[]): SnapshotPair[] {
  return sources.map((source, index) => ({ source, destination: destinations[index] as pg.Client }));
}
