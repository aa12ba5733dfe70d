import { errorCatalogue, SluiceError } from '../errors.ts';
import { formatLsn, type Lsn, maxLsn } from '../postgres/lsn.ts';
import type { CompleteTransaction, ManifestState } from './fold.ts';

/** What the start path found at the source, read before its epoch record was appended. */
export interface SourceFacts {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Where each earlier timeline of the source's history ended, by its number. */
  readonly timelineEnds: ReadonlyMap<number, Lsn>;
  readonly database: string;
  /** What is flushed of its WAL. */
  readonly walEnd: Lsn;
  readonly slot: SlotFacts | null;
  readonly publicationExists: boolean;
}

export interface SlotFacts {
  readonly name: string;
  /** Slots are of one database, their names of the whole cluster. */
  readonly database: string | null;
  readonly confirmedFlush: Lsn;
  /** wal_status `lost`, or an invalidation reason: it can never be used again. */
  readonly invalid: boolean;
}

export type StartDecision =
  /** Nothing of the task is at the source, or only a publication: make publication, then slot. */
  | { readonly kind: 'create' }
  /** The slot was about to be created when an earlier attempt ended: what exists under its name is dropped first. */
  | { readonly kind: 'recreate-slot' }
  /**
   * Goes on with what commits at or above `from`; the next event gets `position`. `again`: the last published
   * transaction, when the slot is not past it: asked for once more, it must come first and be the same.
   */
  | {
      readonly kind: 'resume';
      readonly from: Lsn;
      readonly position: bigint;
      readonly again: CompleteTransaction | null;
    };

/**
 * Where capture goes on, from what counts of the manifest (own epoch record included) and from the source.
 * `before` is the number of manifest records that stood before the own epoch record.
 * @throws SluiceError SOURCE_* when data is missing or belongs to another source: it never guesses.
 */
export function startDecision(state: ManifestState, facts: SourceFacts, before: bigint): StartDecision {
  if (!state.slot) return decideWithoutSlotRecord(facts, before);
  if (state.slot.consistentPoint === null) return facts.slot ? { kind: 'recreate-slot' } : { kind: 'create' };
  const { confirmedFlush } = checkSlot(state, facts);
  const { complete } = state;
  return {
    kind: 'resume',
    from: maxLsn(complete.endLsn, state.slot.consistentPoint),
    position: state.position + 1n,
    again: complete.position > 0n && confirmedFlush <= complete.commitLsn ? complete : null,
  };
}

function decideWithoutSlotRecord(facts: SourceFacts, before: bigint): StartDecision {
  if (facts.slot) throw objectsWithoutManifest(`slot ${facts.slot.name}`);
  if (facts.publicationExists && before === 0n) throw objectsWithoutManifest('the publication of the task');
  return { kind: 'create' };
}

/**
 * The source must be the one that earlier epochs were written from, with all that they published.
 * `earlier` is the newest epoch before the own one. A restored source whose WAL has grown past `lsn` again is found out
 * by its last published transaction, which comes again as another one (see StartDecision).
 */
export function checkSameSource(earlier: KnownSource, lsn: Lsn, facts: SourceFacts): void {
  checkSameSystem(earlier, facts);
  checkTimeline(earlier, lsn, facts);
  if (facts.walEnd >= lsn) return;
  throw new SluiceError(
    'SOURCE_RESTORED',
    `the source's WAL ends at ${formatLsn(facts.walEnd)}, published was up to ${formatLsn(lsn)}`,
  );
}

interface KnownSource {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly database: string;
}

/** @throws SluiceError SOURCE_OTHER_SYSTEM */
export function checkSameSystem(
  earlier: KnownSource,
  facts: Pick<SourceFacts, 'systemIdentifier' | 'database'> & { readonly slot: Pick<SlotFacts, 'database'> | null },
): void {
  if (earlier.systemIdentifier !== facts.systemIdentifier) {
    throw new SluiceError(
      'SOURCE_OTHER_SYSTEM',
      `the source has system identifier ${facts.systemIdentifier}, the task was started on ${earlier.systemIdentifier}`,
    );
  }
  // A database may be renamed, and takes its slot with it.
  if (earlier.database !== facts.database && facts.slot?.database !== facts.database) {
    throw new SluiceError(
      'SOURCE_OTHER_SYSTEM',
      `the source is database ${facts.database}, the task was started on database ${earlier.database}`,
    );
  }
}

function checkTimeline(earlier: KnownSource, lsn: Lsn, facts: SourceFacts): void {
  if (earlier.timeline === facts.timeline) return;
  const end = facts.timelineEnds.get(earlier.timeline);
  if (end === undefined || end < lsn) {
    const forked = end === undefined ? 'is not in its history' : `ended at ${formatLsn(end)}`;
    throw new SluiceError(
      'SOURCE_OTHER_TIMELINE',
      `the source is on timeline ${facts.timeline}; timeline ${earlier.timeline}, published up to ${formatLsn(lsn)}, ${forked}`,
    );
  }
}

/** What counts, for messages about what is missing after it. */
function publishedUpTo({ position, lsn }: ManifestState): string {
  return `published up to position ${position}, LSN ${formatLsn(lsn)}`;
}

export function slotMissing(state: ManifestState, { timeline }: Pick<SourceFacts, 'timeline'>): SluiceError {
  const promoted = state.epoch !== null && state.epoch.source.timeline !== timeline;
  const gone = promoted ? `is not on the server that was promoted to timeline ${timeline}` : 'is gone';
  const detail = `slot ${state.slot?.name} ${gone}; ${publishedUpTo(state)}`;
  if (!promoted) return new SluiceError('SOURCE_SLOT_MISSING', detail);
  const next = 'source.failoverSlot: true and a standby that synchronises slots (docs/operations.md)';
  const remedy = `${errorCatalogue.SOURCE_SLOT_MISSING.remedy} For the next promotion: ${next}.`;
  return new SluiceError('SOURCE_SLOT_MISSING', detail, { remedy });
}

export function slotInvalid(state: ManifestState): SluiceError {
  return new SluiceError('SOURCE_SLOT_INVALID', `slot ${state.slot?.name} is invalidated; ${publishedUpTo(state)}`);
}

function checkSlot(state: ManifestState, facts: SourceFacts): SlotFacts {
  const { slot } = facts;
  if (!slot) throw slotMissing(state, facts);
  if (slot.invalid) throw slotInvalid(state);
  // The server would forward a START_REPLICATION below confirmed_flush_lsn silently: the changes between are lost.
  if (slot.confirmedFlush > state.lsn) {
    throw new SluiceError(
      'SOURCE_SLOT_AHEAD',
      `slot ${slot.name} is confirmed to ${formatLsn(slot.confirmedFlush)}, the manifest reaches ${formatLsn(state.lsn)}, position ${state.position}: what committed between them is missing`,
    );
  }
  return slot;
}

export function objectsWithoutManifest(what: string): SluiceError {
  return new SluiceError('SOURCE_OBJECTS_WITHOUT_MANIFEST', `${what} exists, the manifest knows nothing of it`);
}
