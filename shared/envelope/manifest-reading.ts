import { isSluiceError } from '../errors.ts';
import { partitionName } from '../kafka/partition-name.ts';
import { tableKey } from '../postgres/identifiers.ts';
import { parseFolded } from './checkpoint.ts';
import { emptyManifest, type ManifestState } from './fold.ts';
import { decodeManifestRecord, type RecordOf } from './manifest.ts';
import { type NamedCheckpoint, namedCheckpoint, namesItsPlace, readRecord } from './read-record.ts';

/**
 * How a manifest is read without reading all of it: pure, it only says which records it wants next.
 *
 *   offset   ...  7000        ...  9000        ...    9641  9642   end
 *   record        checkpoint       checkpoint         batch foreign
 *   names         5000             7000               9000
 *                                  ^------ 2. from here on ---------^
 *                                          <- 1. the last that names a checkpoint
 *
 * A record that Sluice wrote stands at the offset that it names in `at` only if the log below is what its writer had
 * folded: nobody else appended since its epoch record, which stands where it says, too. So the checkpoint that it names
 * counts. What others wrote, or what was left of another log, may name anything; so must everything from the checkpoint
 * on agree with it, else the manifest is read from its beginning.
 */

export interface StoredRecord {
  readonly offset: bigint;
  readonly value: Buffer | null;
}

/** Wants records from `from` on and below `end`, and is given some of them, in order; it may be none yet. */
export type Reading<T> = Generator<{ readonly from: bigint; readonly end: bigint }, T, readonly StoredRecord[]>;

export interface Below {
  /** First offset that Kafka still holds. */
  readonly low: bigint;
  /** Of what stands below it. */
  readonly end: bigint;
  /** Where to begin when there is no checkpoint; 0 unless set. */
  readonly beginning?: bigint;
}

/** What the records below `end` fold to. @throws SluiceError MANIFEST_BROKEN */
export function* manifestBelow({ low, end, beginning = 0n }: Below): Reading<ManifestState> {
  const begun = yield* newestCheckpoint(low, end);
  if (begun !== null && (yield* agrees(begun, end))) return begun;
  const state = emptyManifest();
  state.nextOffset = beginning;
  yield* readTo(state, end, () => undefined);
  return state;
}

/** How many records are looked at for one that names a checkpoint; then more; beyond that it is not worth it. */
const WINDOWS = [16n, 1024n];

/** The state before the checkpoint that the last record that names one names. */
function* newestCheckpoint(low: bigint, end: bigint): Reading<ManifestState | null> {
  for (const length of WINDOWS) {
    const from = end - length > low ? end - length : low;
    const named = new Map<bigint, NamedCheckpoint>();
    for (let next = from; next < end; ) {
      for (const { offset, value } of yield { from: next, end }) {
        next = offset + 1n;
        const checkpoint = namedCheckpoint(offset, value);
        if (!checkpoint) continue;
        // In the order in which each was named last.
        named.delete(checkpoint.offset);
        named.set(checkpoint.offset, checkpoint);
      }
    }
    for (const checkpoint of [...named.values()].reverse()) {
      const state = checkpoint.offset < low ? null : yield* restored(checkpoint);
      if (state) return state;
    }
    if (from === low) return null;
  }
  return null;
}

/** The record at `offset`, which is below the end. */
export function* storedAt(offset: bigint): Reading<StoredRecord> {
  for (;;) {
    const [record] = yield { from: offset, end: offset + 1n };
    if (record) return record;
  }
}

function* restored({ offset, incarnation }: NamedCheckpoint): Reading<ManifestState | null> {
  return stateBefore(yield* storedAt(offset), incarnation);
}

/** As the checkpoint at that offset holds it; null: there is none. */
export function stateBefore({ offset, value }: StoredRecord, incarnation: unknown): ManifestState | null {
  const record = checkpointIn({ offset, value });
  const folded = record && parseFolded(record.state);
  if (!folded || record.at !== offset || record.incarnation !== incarnation) return null;
  if (record.epoch !== folded.epoch.epoch) return null;
  const { earlierTopics, reads, replacedReads, ends, ...rest } = folded;
  return {
    ...rest,
    incarnation: record.incarnation,
    nextOffset: offset,
    earlierTopics: new Set(earlierTopics),
    reads: new Map(reads.map((read) => [tableKey(read), read])),
    replacedReads: new Map(replacedReads.map((read) => [read.generation, read])),
    ends: new Map(ends.map((end) => [partitionName(end), end])),
    checkpoint: record.checkpoint === undefined ? null : { offset: record.checkpoint, bytes: 0 },
    bytesSince: 0,
  };
}

function checkpointIn({ offset, value }: StoredRecord): RecordOf<'checkpoint'> | null {
  try {
    const record = decodeManifestRecord(value, offset);
    return record.kind === 'checkpoint' ? record : null;
  } catch {
    return null;
  }
}

/** Reads on from a checkpoint; false: something that stands there does not follow from it. */
function* agrees(state: ManifestState, end: bigint): Reading<boolean> {
  let sound = true;
  const onIgnored = (record: StoredRecord) => {
    if (namesItsPlace(record.offset, record.value)) sound = false;
  };
  try {
    yield* readTo(state, end, onIgnored);
  } catch (error) {
    if (isSluiceError(error, 'MANIFEST_BROKEN')) return false;
    throw error;
  }
  return sound;
}

function* readTo(state: ManifestState, end: bigint, onIgnored: (record: StoredRecord) => void): Reading<void> {
  while (state.nextOffset < end) {
    for (const record of yield { from: state.nextOffset, end }) {
      if (readRecord(state, record.offset, record.value) === null) onIgnored(record);
    }
  }
}
