import { fold, type ManifestState } from './fold.ts';
import { decodeManifestRecord, type ManifestRecord } from './manifest.ts';

/** A record that counts; `voids`: it is an epoch record that voids the parts of an open transaction. */
export interface ReadRecord {
  readonly record: ManifestRecord;
  readonly voids: boolean;
}

/**
 * Takes what stands at `offset` of a manifest into `state`; null: it counts for nobody. That is so of a late record of
 * an attempt that is over, and of whatever else other clients write there.
 * @throws SluiceError MANIFEST_BROKEN when it counts by its header and cannot be read, or contradicts what counted before
 */
export function readRecord(state: ManifestState, offset: bigint, value: Buffer | null): ReadRecord | null {
  const record = decoded(state, offset, value);
  if (!record) {
    state.nextOffset = offset + 1n;
    state.bytesSince += value?.length ?? 0;
    return null;
  }
  const verdict = fold(state, offset, record, value?.length);
  return verdict.counts ? { record, voids: verdict.voids } : null;
}

/**
 * Whether a record that does not count names the offset that it stands at. Sluice never leaves such a record: an attempt
 * that is over finds that place taken. So somebody else wrote it, or the log below it is another than what was read.
 */
export function namesItsPlace(offset: bigint, value: Buffer | null): boolean {
  return headerOf(value)?.at === offset.toString();
}

/** The checkpoint that a record at `offset` names as the newest before it, if it stands where it says. */
export function namedCheckpoint(offset: bigint, value: Buffer | null): NamedCheckpoint | null {
  const header = headerOf(value);
  if (header?.at !== offset.toString() || typeof header.checkpoint !== 'string') return null;
  if (!/^\d+$/.test(header.checkpoint) || BigInt(header.checkpoint) >= offset) return null;
  return { offset: BigInt(header.checkpoint), incarnation: header.incarnation };
}

export interface NamedCheckpoint {
  readonly offset: bigint;
  readonly incarnation: unknown;
}

function decoded(state: ManifestState, offset: bigint, value: Buffer | null): ManifestRecord | null {
  try {
    return decodeManifestRecord(value, offset);
  } catch (error) {
    if (countsByHeader(state, offset, value)) throw error;
    return null;
  }
}

function countsByHeader({ incarnation, epoch }: ManifestState, offset: bigint, value: Buffer | null): boolean {
  const header = headerOf(value);
  if (header?.at !== offset.toString() || header.incarnation !== incarnation) return false;
  return header.kind === 'epoch' || header.epoch === epoch?.epoch;
}

interface Header {
  readonly kind?: unknown;
  readonly incarnation?: unknown;
  readonly epoch?: unknown;
  readonly at?: unknown;
  readonly checkpoint?: unknown;
}

function headerOf(value: Buffer | null): Header | null {
  try {
    return JSON.parse((value ?? '').toString()) as Header | null;
  } catch {
    return null;
  }
}
