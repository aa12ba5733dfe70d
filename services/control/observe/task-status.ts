import type { ManifestState } from '../../../shared/envelope/fold.ts';
import {
  checkSameSystem,
  objectsWithoutManifest,
  slotInvalid,
  slotMissing,
} from '../../../shared/envelope/start-decision.ts';
import { isSluiceError, type SluiceError } from '../../../shared/errors.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { formatLsn, maxLsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import type { Task } from '../../../shared/task/task.ts';
import type { DestinationState, LastConflict, Phase } from '../bookkeeping/destination-state.ts';
import { type Lag, lagOf } from './lag.ts';
import type { SourceState } from './source-state.ts';
import { waits } from './waits.ts';

/** What was read of the three places; null where a place could not be looked at. */
export interface Observation {
  readonly now: number;
  readonly manifest: ManifestState | null;
  readonly source: SourceState | null;
  readonly estimates: ReadonlyMap<string, number | null>;
  readonly destination: DestinationState | null;
  readonly request: { readonly kind: string; readonly state: string } | null;
  /** Place and message. */
  readonly unavailable: readonly { readonly what: string; readonly message: string }[];
}

export interface TableStatus {
  readonly schema: string;
  readonly name: string;
  readonly state: 'waiting' | 'reading' | 'loading' | 'loaded' | 'dropped';
  /** The statistics' estimate until the read is complete, then exact; null: unknown. */
  readonly rows: number | null;
  readonly rowsRead: number;
  readonly rowsLoaded: number;
}

export interface ReportedError {
  readonly service: 'capture' | 'sink';
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly at?: string;
}

export interface TaskStatus {
  readonly task: string;
  readonly sink: string;
  readonly types: readonly string[];
  readonly phase: Phase | 'not started';
  readonly detail: string;
  readonly tables: readonly TableStatus[];
  readonly sections: DestinationState['sections'];
  /** Objects that the sink is creating now. */
  readonly running: DestinationState['running'];
  readonly batches: { readonly published: bigint; readonly applied: bigint };
  readonly positions: { readonly published: bigint; readonly applied: bigint };
  readonly transactions: { readonly published: bigint; readonly applied: bigint };
  readonly conflicts: bigint;
  readonly lastConflict: LastConflict | null;
  readonly lsn: { readonly source: string | null; readonly published: string | null; readonly applied: string | null };
  /** null before the stream can be applied, and for a task without one. */
  readonly lag: Lag | null;
  readonly slot: {
    readonly name: string;
    readonly active: boolean;
    readonly confirmedFlush: string | null;
    readonly retainedBytes: number;
    readonly walStatus: string | null;
  } | null;
  readonly epoch: {
    readonly id: string;
    readonly startedAt: string;
    readonly host: string;
    readonly pid: number;
  } | null;
  readonly replicaRole: boolean | null;
  readonly waitsFor: readonly string[];
  readonly errors: readonly ReportedError[];
  readonly unavailable: Observation['unavailable'];
}

/** Pure: makes the status of a task of what was read. */
export function taskStatus(task: Task, seen: Observation): TaskStatus {
  const state = seen.manifest;
  const applied = seen.destination?.applied ?? null;
  const slot = seen.source?.slot ?? null;
  const text = (lsn: ManifestState['lsn'] | null | undefined) =>
    lsn == null || lsn === ZERO_LSN ? null : formatLsn(lsn);
  return {
    task: task.name,
    sink: task.sink.name,
    types: [...task.types],
    phase: seen.destination?.sink?.phase ?? 'not started',
    detail: seen.destination?.sink?.detail ?? '',
    tables: tableStatuses(seen, state),
    sections: seen.destination?.sections ?? [],
    running: seen.destination?.running ?? [],
    batches: { published: state?.batch ?? 0n, applied: applied?.batch ?? 0n },
    positions: { published: state?.complete.position ?? 0n, applied: applied?.position ?? 0n },
    transactions: { published: state?.transactions ?? 0n, applied: applied?.transactions ?? 0n },
    conflicts: applied?.conflicts ?? 0n,
    lastConflict: applied?.lastConflict ?? null,
    lsn: { source: text(seen.source?.walEnd), published: text(state?.lsn), applied: text(applied?.lsn) },
    lag: task.types.has('incremental') ? lagNow(seen) : null,
    slot: slot && { ...slot, confirmedFlush: text(slot.confirmedFlush), retainedBytes: slot.retainedBytes },
    epoch: state?.epoch
      ? { id: state.epoch.epoch, startedAt: state.epoch.startedAt, host: state.epoch.host, pid: state.epoch.pid }
      : null,
    replicaRole: seen.destination?.sink?.replicaRole ?? null,
    waitsFor: waits(task, seen),
    errors: errorsOf(task, seen),
    unavailable: seen.unavailable,
  };
}

function lagNow({ manifest, source, destination, now }: Observation): Lag | null {
  const applied = destination?.applied;
  if (!manifest || !source || !applied) return null;
  const { complete, lsn, slot, firstCommitTime } = manifest;
  return lagOf({
    now,
    walEnd: source.walEnd,
    published: lsn,
    // What was there before the stream began is no lag of the stream.
    applied: maxLsn(applied.lsn, slot?.consistentPoint ?? ZERO_LSN),
    publishedPosition: complete.position,
    appliedPosition: applied.position,
    publishedCommitTime: complete.position === 0n ? null : Number(complete.commitTime / 1000n),
    // A sink that applied nothing yet waits for the first.
    appliedCommitTime: applied.commitTime ?? (firstCommitTime === null ? null : Number(firstCommitTime / 1000n)),
  });
}

function tableStatuses(seen: Observation, state: ManifestState | null): TableStatus[] {
  if (!state?.epoch) return [];
  return state.epoch.tables.map((table) => {
    const key = tableKey(table);
    const read = state.reads.get(key);
    const load = seen.destination?.loads.get(key);
    const estimate = seen.estimates.get(key) ?? null;
    const rowsRead = Number(read?.rows ?? 0n);
    const rowsLoaded = Number(load?.rows ?? 0n);
    const rows = read?.state === 'read' ? rowsRead : estimate === null ? null : Math.max(estimate, rowsRead);
    return {
      schema: table.schema,
      name: table.name,
      state: stateOf(read?.state, load?.state),
      rows,
      rowsRead,
      rowsLoaded,
    };
  });
}

function stateOf(read: string | undefined, load: string | undefined): TableStatus['state'] {
  if (read === 'dropped' || load === 'loaded') return read === 'dropped' ? 'dropped' : 'loaded';
  if (read === undefined) return 'waiting';
  return read === 'read' || load === 'loading' ? 'loading' : 'reading';
}

/** What the services reported when they ended, and what would stop capture even if it never came to say so. */
function errorsOf(task: Task, seen: Observation): ReportedError[] {
  const errors: ReportedError[] = [];
  const stopped = seen.manifest?.stopped ?? missingForCapture(task, seen);
  if (stopped) {
    errors.push({ service: 'capture', code: stopped.code, message: stopped.message, remedy: stopped.remedy });
  }
  const error = seen.destination?.sink?.error;
  if (error) errors.push({ service: 'sink', ...error });
  return errors;
}

function missingForCapture(
  task: Task,
  { manifest: state, source, destination, unavailable }: Observation,
): SluiceError | null {
  if (!task.types.has('incremental') || !source || destination?.sink?.phase === 'cut over') return null;
  const { slot } = source;
  if (!state?.epoch) {
    const isKnown = unavailable.every(({ what }) => what !== 'Kafka');
    return slot && isKnown ? objectsWithoutManifest(`slot ${slot.name}`) : null;
  }
  const other = otherSystem(state.epoch.source, source);
  if (other || state.slot?.consistentPoint == null) return other;
  if (!slot) return slotMissing(state, source.system ?? state.epoch.source);
  return slot.walStatus === 'lost' ? slotInvalid(state) : null;
}

function otherSystem(earlier: Parameters<typeof checkSameSystem>[0], source: SourceState): SluiceError | null {
  if (source.system === null) return null;
  try {
    checkSameSystem(earlier, { ...source, ...source.system });
    return null;
  } catch (error) {
    if (isSluiceError(error)) return error;
    throw error;
  }
}
