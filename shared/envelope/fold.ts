import { isDeepStrictEqual } from 'node:util';
import { SluiceError } from '../errors.ts';
import { partitionName } from '../kafka/partition-name.ts';
import { tableKey } from '../postgres/identifiers.ts';
import { type Lsn, maxLsn, ZERO_LSN } from '../postgres/lsn.ts';
import { checkpointOf } from './checkpoint.ts';
import type { ManifestRecord, RecordOf, SnapshotIdentity } from './manifest.ts';

/**
 * What counts of a manifest, for its writer and every reader alike (design: the manifest).
 *
 *   offset   0      1     2      3        4        5      6       7
 *   record   epoch  slot  slot   batch 1  batch 2  epoch  batch 2 batch 3
 *            A      A     A      A        A (part) B      A, late B
 *   counts   yes    yes   yes    yes      voided   yes    no      yes
 *
 * A record counts if it stands at the offset it names in `at`, under the newest epoch record before it;
 * of two batches with one number the first. An epoch record voids the parts of an open transaction:
 * their positions are used again, their batch numbers are not.
 * A record that counts by these rules and still does not follow from the ones before it is a broken manifest: stop.
 * So is a checkpoint that holds another state than the records before it give, and a record that names another
 * checkpoint than the newest one: who begins at a checkpoint and who comes from before it must agree.
 */

export interface CompleteTransaction {
  readonly position: bigint;
  readonly commitLsn: Lsn;
  readonly endLsn: Lsn;
  readonly commitTime: bigint;
}

export interface TableRead {
  readonly schema: string;
  readonly name: string;
  /** Offset of the reload record. */
  readonly generation: bigint;
  /** Epoch under which the read runs: an unfinished read of an older epoch is interrupted for good. */
  readonly epoch: string;
  readonly state: 'reading' | 'read' | 'dropped';
  /** Published so far; when read: the totals. */
  readonly chunks: number;
  readonly rows: bigint;
  readonly snapshot: SnapshotIdentity | null;
  readonly upTo: Lsn;
}

/** Where the last listed segment of a topic-partition ended, and under which epoch it was written. */
export interface PartitionEnd {
  readonly topic: string;
  readonly partition: number;
  /** One past the last listed record. */
  readonly end: bigint;
  readonly epoch: string;
  /** Positions of the batch that the segment belongs to; null for chunks and schema objects. */
  readonly positions: { readonly first: bigint; readonly last: bigint } | null;
}

export interface ManifestState {
  incarnation: string | null;
  /** One past the last record seen, counted or not. */
  nextOffset: bigint;
  epoch: RecordOf<'epoch'> | null;
  lsn: Lsn;
  /** Number of the last batch that counted; 0 before the first. */
  batch: bigint;
  /** Position of the last event that counts, parts of an open transaction included; 0 before the first. */
  position: bigint;
  complete: CompleteTransaction;
  open: { readonly xid: number } | null;
  slot: { readonly name: string; readonly consistentPoint: Lsn | null } | null;
  schema: RecordOf<'schema'> | null;
  stopped: RecordOf<'stopped'> | null;
  /** The first record that counts. */
  first: { readonly offset: bigint; readonly epoch: string } | null;
  /** Source transactions that are complete. */
  transactions: bigint;
  /** Of the first of them, in microseconds since 1970. */
  firstCommitTime: bigint | null;
  /** Of tables that earlier epochs named and the newest does not. */
  readonly earlierTopics: Set<string>;
  /** By tableKey. */
  readonly reads: Map<string, TableRead>;
  /** Complete reads that a later reload replaced, by generation. */
  readonly replacedReads: Map<bigint, TableRead>;
  /** By `topic/partition`. */
  readonly ends: Map<string, PartitionEnd>;
  /** The newest checkpoint that counts, and its size. */
  checkpoint: { readonly offset: bigint; readonly bytes: number } | null;
  /** Bytes of the records after it, of those that do not count as well. */
  bytesSince: number;
}

export type Verdict =
  | { readonly counts: true; readonly voids: boolean }
  | { readonly counts: false; readonly why: 'other incarnation' | 'other epoch' | 'other offset' | 'doubled batch' };

export function emptyManifest(): ManifestState {
  return {
    incarnation: null,
    nextOffset: 0n,
    epoch: null,
    lsn: ZERO_LSN,
    batch: 0n,
    position: 0n,
    complete: { position: 0n, commitLsn: ZERO_LSN, endLsn: ZERO_LSN, commitTime: 0n },
    open: null,
    slot: null,
    schema: null,
    stopped: null,
    first: null,
    transactions: 0n,
    firstCommitTime: null,
    earlierTopics: new Set(),
    reads: new Map(),
    replacedReads: new Map(),
    ends: new Map(),
    checkpoint: null,
    bytesSince: 0,
  };
}

/** Its parts are immutable, its maps are not. */
export function copyOf(state: ManifestState): ManifestState {
  return {
    ...state,
    earlierTopics: new Set(state.earlierTopics),
    reads: new Map(state.reads),
    replacedReads: new Map(state.replacedReads),
    ends: new Map(state.ends),
  };
}

/**
 * Takes the record at `offset`, of `bytes`, into `state` (in place) and says whether it counts.
 * Records are given in order of their offsets, each once.
 * @throws SluiceError MANIFEST_BROKEN when a record that counts contradicts the ones before it.
 */
export function fold(state: ManifestState, offset: bigint, record: ManifestRecord, bytes = 0): Verdict {
  if (offset < state.nextOffset) broken(offset, `it was read after offset ${state.nextOffset - 1n}`);
  state.nextOffset = offset + 1n;
  state.bytesSince += bytes;
  const doubt = doubtOf(state, offset, record);
  if (doubt) return { counts: false, why: doubt };
  if (record.lsn < state.lsn) broken(offset, 'its LSN is below one that counted before');
  checkNamedCheckpoint(state, offset, record);
  const voids = record.kind === 'epoch' && state.open !== null;
  if (record.kind === 'checkpoint') takeCheckpoint(state, offset, { record, bytes });
  else take(state, offset, record);
  state.first ??= { offset, epoch: record.epoch };
  state.lsn = maxLsn(state.lsn, record.lsn);
  return { counts: true, voids };
}

function doubtOf(state: ManifestState, offset: bigint, record: ManifestRecord) {
  if (state.incarnation !== null && record.incarnation !== state.incarnation) return 'other incarnation';
  if (record.at !== offset) return 'other offset';
  if (record.kind !== 'epoch' && record.epoch !== state.epoch?.epoch) return 'other epoch';
  if (record.kind === 'batch' && record.batch <= state.batch) return 'doubled batch';
  return null;
}

/** A writer of before there were checkpoints names none. */
function checkNamedCheckpoint(state: ManifestState, offset: bigint, { checkpoint }: ManifestRecord): void {
  if (checkpoint === undefined || checkpoint === state.checkpoint?.offset) return;
  broken(offset, `it names a checkpoint at ${checkpoint}, the newest is at ${state.checkpoint?.offset ?? 'none'}`);
}

function takeCheckpoint(
  state: ManifestState,
  offset: bigint,
  { record, bytes }: { record: RecordOf<'checkpoint'>; bytes: number },
): void {
  const folded: Record<string, unknown> = checkpointOf(state);
  const different = Object.keys(folded).find((key) => !isDeepStrictEqual(folded[key], record.state[key]));
  if (different) broken(offset, `it holds another state (${different}) than the records before it give`);
  state.checkpoint = { offset, bytes };
  state.bytesSince = 0;
}

function take(state: ManifestState, offset: bigint, record: Exclude<ManifestRecord, { kind: 'checkpoint' }>): void {
  if (record.kind === 'epoch') takeEpoch(state, record);
  else if (record.kind === 'batch') takeBatch(state, offset, record);
  else if (record.kind === 'reload') takeReload(state, offset, record);
  else if (record.kind === 'stopped') state.stopped = record;
  else if (record.kind === 'slot') state.slot = { name: record.slot, consistentPoint: record.consistentPoint };
  else if (record.kind === 'schema') {
    state.schema = record;
    takeSegments(state, offset, record);
  } else if (record.kind === 'heartbeat') {
    if (state.open) broken(offset, 'a heartbeat stands inside an open transaction');
  } else takeRead(state, offset, record);
}

function takeEpoch(state: ManifestState, record: RecordOf<'epoch'>): void {
  for (const { topic } of state.epoch?.tables ?? []) state.earlierTopics.add(topic);
  for (const { topic } of record.tables) state.earlierTopics.delete(topic);
  state.incarnation = record.incarnation;
  state.epoch = record;
  state.stopped = null;
  state.open = null;
  state.position = state.complete.position;
}

function takeBatch(state: ManifestState, offset: bigint, record: RecordOf<'batch'>): void {
  if (record.batch !== state.batch + 1n) broken(offset, `batch ${record.batch} follows batch ${state.batch}`);
  if (record.first !== state.position + 1n) {
    broken(offset, `it starts at position ${record.first}, expected ${state.position + 1n}`);
  }
  if (record.last < record.first) broken(offset, 'it ends before it starts');
  if ((record.complete === null) !== (record.open !== null)) broken(offset, 'it is neither open nor complete');
  const continued = record.open && state.open ? record.open.xid : record.closes;
  if ((state.open?.xid ?? null) !== continued) broken(offset, 'it does not continue the open transaction');
  takeSegments(state, offset, record);
  state.batch = record.batch;
  state.position = record.last;
  state.open = record.open;
  if (record.complete) {
    const { commitLsn, endLsn, commitTime } = record.complete;
    state.complete = { position: record.last, commitLsn, endLsn, commitTime };
    state.firstCommitTime ??= commitTime;
  }
  state.transactions += BigInt(record.transactions);
}

function takeReload(state: ManifestState, offset: bigint, { table, epoch }: RecordOf<'reload'>): void {
  const key = tableKey(table);
  const earlier = state.reads.get(key);
  if (earlier?.state === 'read') state.replacedReads.set(earlier.generation, earlier);
  const { schema, name } = table;
  const nothing = { chunks: 0, rows: 0n, snapshot: null, upTo: ZERO_LSN } as const;
  state.reads.set(key, { schema, name, generation: offset, epoch, state: 'reading', ...nothing });
}

function takeRead(state: ManifestState, offset: bigint, record: RecordOf<'chunks' | 'read' | 'dropped'>): void {
  const key = tableKey(record.table);
  const read = state.reads.get(key);
  if (!read || read.generation !== record.generation || read.state !== 'reading' || read.epoch !== record.epoch) {
    broken(offset, `it belongs to no read of ${key} that is under way`);
  }
  switch (record.kind) {
    case 'chunks':
      takeSegments(state, offset, record);
      state.reads.set(key, { ...read, chunks: read.chunks + record.chunks, rows: read.rows + record.rows });
      return;
    case 'read':
      if (read.chunks !== record.chunks || read.rows !== record.rows) {
        broken(
          offset,
          `it says ${record.chunks} chunks and ${record.rows} rows, listed were ${read.chunks} and ${read.rows}`,
        );
      }
      state.reads.set(key, { ...read, state: 'read', snapshot: record.snapshot, upTo: record.upTo });
      return;
    case 'dropped':
      state.reads.set(key, { ...read, state: 'dropped' });
  }
}

function takeSegments(state: ManifestState, offset: bigint, record: RecordOf<'batch' | 'schema' | 'chunks'>): void {
  const { epoch } = record;
  const positions = record.kind === 'batch' ? { first: record.first, last: record.last } : null;
  for (const { topic, partition, offset: first, count } of record.segments) {
    const key = partitionName({ topic, partition });
    const end = state.ends.get(key)?.end ?? 0n;
    if (first < end) broken(offset, `a segment of ${key} starts at ${first}, before the end ${end} of an earlier one`);
    state.ends.set(key, { topic, partition, end: first + BigInt(count), epoch, positions });
  }
}

function broken(offset: bigint, why: string): never {
  throw new SluiceError('MANIFEST_BROKEN', `manifest record at offset ${offset}: ${why}`, { context: { offset } });
}
