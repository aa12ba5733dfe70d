import { SluiceError } from '../errors.ts';
import { formatLsn, type Lsn, maxLsn } from '../postgres/lsn.ts';
import type { ManifestState } from './fold.ts';

/** What the start path found at the source, read before its epoch record was appended. */
export interface SourceFacts {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Where each earlier timeline of the source's history ended, by its number. */
  readonly timelineEnds: ReadonlyMap<number, Lsn>;
  readonly slot: SlotFacts | null;
  readonly publicationExists: boolean;
}

export interface SlotFacts {
  readonly name: string;
  readonly confirmedFlush: Lsn;
  /** wal_status `lost`, or an invalidation reason: it can never be used again. */
  readonly invalid: boolean;
}

export type StartDecision =
  /** Nothing of the task is at the source, or only a publication: make publication, then slot. */
  | { readonly kind: 'create' }
  /** The slot was about to be created when an earlier attempt ended: what exists under its name is dropped first. */
  | { readonly kind: 'recreate-slot' }
  /** START_REPLICATION at `from`; the next event gets `position`. */
  | { readonly kind: 'resume'; readonly from: Lsn; readonly position: bigint };

/**
 * Where capture goes on, from what counts of the manifest (own epoch record included) and from the source.
 * `before` is the number of manifest records that stood before the own epoch record.
 * @throws SluiceError SOURCE_* when data is missing or belongs to another source: it never guesses.
 */
export function startDecision(state: ManifestState, facts: SourceFacts, before: bigint): StartDecision {
  if (!state.slot) return decideWithoutSlotRecord(facts, before);
  if (state.slot.consistentPoint === null) return facts.slot ? { kind: 'recreate-slot' } : { kind: 'create' };
  checkSlot(state, facts);
  return {
    kind: 'resume',
    from: maxLsn(state.complete.endLsn, state.slot.consistentPoint),
    position: state.position + 1n,
  };
}

function decideWithoutSlotRecord(facts: SourceFacts, before: bigint): StartDecision {
  if (facts.slot) throw objectsWithoutManifest(`slot ${facts.slot.name}`);
  if (facts.publicationExists && before === 0n) throw objectsWithoutManifest('the publication of the task');
  return { kind: 'create' };
}

/** The source must be the one that earlier epochs were written from. `earlier` is the newest epoch before the own one. */
export function checkSameSource(
  earlier: { readonly systemIdentifier: string; readonly timeline: number },
  lsn: Lsn,
  facts: SourceFacts,
): void {
  if (earlier.systemIdentifier !== facts.systemIdentifier) {
    throw new SluiceError(
      'SOURCE_OTHER_SYSTEM',
      `the source has system identifier ${facts.systemIdentifier}, the task was started on ${earlier.systemIdentifier}`,
    );
  }
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

function checkSlot(state: ManifestState, facts: SourceFacts): void {
  const { slot } = facts;
  if (!slot) {
    throw new SluiceError(
      'SOURCE_SLOT_MISSING',
      `slot ${state.slot?.name} is gone; published up to ${formatLsn(state.lsn)}`,
    );
  }
  if (slot.invalid) {
    throw new SluiceError(
      'SOURCE_SLOT_INVALID',
      `slot ${slot.name} is invalidated; published up to ${formatLsn(state.lsn)}`,
    );
  }
  // The server would forward a START_REPLICATION below confirmed_flush_lsn silently: the changes between are lost.
  if (slot.confirmedFlush > state.lsn) {
    throw new SluiceError(
      'SOURCE_SLOT_AHEAD',
      `slot ${slot.name} is confirmed to ${formatLsn(slot.confirmedFlush)}, the manifest reaches ${formatLsn(state.lsn)}`,
    );
  }
}

function objectsWithoutManifest(what: string): SluiceError {
  return new SluiceError('SOURCE_OBJECTS_WITHOUT_MANIFEST', `${what} exists, the manifest knows nothing of it`);
}
