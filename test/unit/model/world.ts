import { isDeepStrictEqual } from 'node:util';
import { acknowledgeable, heartbeatDue } from '../../../shared/envelope/acknowledgement.ts';
import { emptyManifest, fold, type ManifestState } from '../../../shared/envelope/fold.ts';
import { encodeManifestRecord, type ManifestRecord, type RecordOf } from '../../../shared/envelope/manifest.ts';
import { manifestBelow, type StoredRecord, stateBefore } from '../../../shared/envelope/manifest-reading.ts';
import { readRecord } from '../../../shared/envelope/read-record.ts';
import { startDecision } from '../../../shared/envelope/start-decision.ts';
import { isSluiceError } from '../../../shared/errors.ts';
import { type Lsn, lsnFromBigint, ZERO_LSN } from '../../../shared/postgres/lsn.ts';

/**
 * A world small enough to be explored whole: a source with a few transactions and a slot, the manifest log, two
 * capture writers and a sink. Every decision is the project's own: fold, startDecision, acknowledgeable, heartbeatDue.
 * What Kafka and crashes may do is the model's: answers get lost, appends land late, writers die, sleep, are taken over.
 */

/** Events of each transaction by its number from 1; `parts` > 1: larger than a batch; 0: nothing selected in it. */
export interface Bounds {
  readonly transactions: readonly { readonly parts: 0 | 1 | 2 }[];
  readonly epochs: number;
  readonly log: number;
  /** Starts after the slot was made and recorded by a first epoch whose writer is gone: reaches deeper into streaming. */
  readonly slotMade?: boolean;
}

/** Rules of the design, each of which can be switched off; kafkajs's retries, which can be switched on. */
export interface Rules {
  /** `batches`: of all records but epochs. */
  readonly checkAt: 'all' | 'batches' | 'none';
  readonly checkEpoch: boolean;
  readonly uniqueEpochs: boolean;
  readonly voidOpen: boolean;
  readonly retryAppends: boolean;
  readonly factsBeforeEpoch: boolean;
  readonly acknowledge: 'answered' | 'plus one' | 'sent' | 'received';
  readonly resumeAt: 'end LSN' | 'commit LSN';
  readonly checkAnsweredOffset: boolean;
  readonly sinkPositionInTransaction: boolean;
  /** Writers append checkpoints. */
  readonly checkpoints: boolean;
  /** Which checkpoint readers begin at. */
  readonly checkpointTrust: 'named' | 'newest';
}

export const allRules: Rules = {
  checkAt: 'all',
  checkEpoch: true,
  uniqueEpochs: true,
  voidOpen: true,
  retryAppends: false,
  factsBeforeEpoch: true,
  acknowledge: 'answered',
  resumeAt: 'end LSN',
  checkAnsweredOffset: true,
  sinkPositionInTransaction: true,
  checkpoints: false,
  checkpointTrust: 'named',
};

const STEP = 10n;
/** Neighbouring commits: the record of transaction i + 1 starts where that of i ends. The slot starts at the first. */
export const commitLsn = (tx: number): Lsn => lsnFromBigint(STEP * BigInt(tx));
export const endLsn = (tx: number): Lsn => commitLsn(tx + 1);
export const CONSISTENT_POINT = commitLsn(1);

export type LogRecord = (
  | { readonly kind: 'epoch'; readonly epoch: number; readonly at: number }
  | { readonly kind: 'slot'; readonly epoch: number; readonly at: number; readonly created: boolean }
  | {
      readonly kind: 'batch';
      readonly epoch: number;
      readonly at: number;
      readonly batch: number;
      readonly position: number;
      readonly tx: number;
      readonly part: number;
    }
  | { readonly kind: 'heartbeat'; readonly epoch: number; readonly at: number; readonly lsn: number }
  | { readonly kind: 'checkpoint'; readonly epoch: number; readonly at: number; readonly state: Checkpoint }
) & { readonly checkpoint?: number };

type Checkpoint = RecordOf<'checkpoint'>['state'];

/** What the model's records say as the project's. Every part of a transaction is one event, so one position. */
export function toManifestRecord(record: LogRecord, lsnBefore: Lsn, bounds: Bounds): ManifestRecord {
  const named = record.checkpoint === undefined ? {} : { checkpoint: BigInt(record.checkpoint) };
  const header = { incarnation: 'i', epoch: String(record.epoch), at: BigInt(record.at), lsn: lsnBefore, ...named };
  switch (record.kind) {
    case 'epoch':
      return {
        kind: 'epoch',
        ...header,
        task: 't',
        definition: { hash: '', types: ['incremental'] },
        source: { systemIdentifier: 's', timeline: 1, database: 'd', serverVersion: 170000 },
        slot: 's',
        publication: 'p',
        options: {},
        tables: [],
        replicaIdentities: [],
        startedAt: '',
        host: '',
        pid: 1,
      };
    case 'slot':
      return record.created
        ? { kind: 'slot', ...header, lsn: CONSISTENT_POINT, slot: 's', consistentPoint: CONSISTENT_POINT }
        : { kind: 'slot', ...header, slot: 's', consistentPoint: null };
    case 'heartbeat':
      return { kind: 'heartbeat', ...header, lsn: lsnFromBigint(BigInt(record.lsn)) };
    case 'checkpoint':
      return { kind: 'checkpoint', ...header, state: record.state };
    case 'batch':
      return toBatch(record, header, bounds);
  }
}

function toBatch(
  record: Extract<LogRecord, { kind: 'batch' }>,
  header: { incarnation: string; epoch: string; at: bigint; lsn: Lsn },
  bounds: Bounds,
): ManifestRecord {
  const parts = bounds.transactions[record.tx - 1]?.parts ?? 1;
  const last = record.part === parts;
  const position = BigInt(record.position);
  const complete = { xid: record.tx, commitLsn: commitLsn(record.tx), endLsn: endLsn(record.tx), commitTime: 0n };
  return {
    kind: 'batch',
    ...header,
    lsn: last ? endLsn(record.tx) : header.lsn,
    batch: BigInt(record.batch),
    first: position,
    last: position,
    transactions: last ? 1 : 0,
    complete: last ? complete : null,
    open: last ? null : { xid: record.tx },
    closes: last && parts > 1 ? record.tx : null,
    bytes: 0,
    segments: [],
  };
}

/** The fold of a whole log under the rules, with what a sink would apply: transactions whole, in order. */
export interface Folded {
  readonly state: ManifestState;
  readonly applied: readonly number[];
  readonly broken: string | null;
}

export function foldLog(log: readonly LogRecord[], rules: Rules, bounds: Bounds): Folded {
  const state = emptyManifest();
  const applied: number[] = [];
  const stored: StoredRecord[] = [];
  let parts: number[] = [];
  for (const [offset, record] of log.entries()) {
    try {
      const { open, position } = state;
      const written = bend(toManifestRecord(record, state.lsn, bounds), offset, state, rules);
      const value = rules.checkpoints ? encodeManifestRecord(written) : null;
      stored.push({ offset: BigInt(offset), value });
      const verdict = fold(state, BigInt(offset), written, value?.length);
      if (!rules.voidOpen && record.kind === 'epoch') Object.assign(state, { open, position });
      // What namesItsPlace relies on: such a record says that the log was changed below it.
      if (!verdict.counts && verdict.why === 'other epoch' && rules.checkAt === 'all' && rules.uniqueEpochs) {
        return { state, applied, broken: `a record at its own offset ${offset} is of an epoch that is over` };
      }
      if (!verdict.counts) continue;
      if (verdict.voids && rules.voidOpen) parts = [];
      if (record.kind !== 'batch') continue;
      parts.push(record.part);
      const wanted = bounds.transactions[record.tx - 1]?.parts ?? 1;
      if (record.part !== wanted) continue;
      if (parts.join() !== Array.from({ length: wanted }, (_, i) => i + 1).join()) {
        return { state, applied, broken: `transaction ${record.tx} counted with parts ${parts}` };
      }
      applied.push(record.tx);
      parts = [];
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      return { state, applied, broken: `${error.code}: ${error.message}` };
    }
  }
  if (rules.checkpoints && !isDeepStrictEqual(stateFromCheckpoint(stored, rules), state)) {
    return { state, applied, broken: 'who began at a checkpoint has another state' };
  }
  return { state, applied, broken: null };
}

/** What a reader makes of the log who does not read it from its beginning. */
function stateFromCheckpoint(stored: readonly StoredRecord[], rules: Rules): ManifestState {
  const newest = rules.checkpointTrust === 'newest' ? stored.findLast(({ value }) => isCheckpoint(value)) : undefined;
  if (newest) return stateFrom(newest, stored);
  const reading = manifestBelow({ low: 0n, end: BigInt(stored.length) });
  let step = reading.next();
  while (step.done !== true) step = reading.next(stored.slice(Number(step.value.from), Number(step.value.end)));
  return step.value;
}

/** The mistake of taking a checkpoint wherever it stands. */
function stateFrom({ offset, value }: StoredRecord, stored: readonly StoredRecord[]): ManifestState {
  const record = { ...(JSON.parse(String(value)) as object), at: String(offset) };
  const state = stateBefore({ offset, value: Buffer.from(JSON.stringify(record)) }, 'i')!;
  for (const later of stored.slice(Number(offset))) readRecord(state, later.offset, later.value);
  return state;
}

function isCheckpoint(value: Buffer | null): boolean {
  return String(value).startsWith('{"kind":"checkpoint"');
}

/** A rule switched off: the fold is shown what it would have to see to let the record pass. */
function bend(record: ManifestRecord, offset: number, state: ManifestState, rules: Rules): ManifestRecord {
  let bent = record;
  if (rules.checkAt === 'none' || (rules.checkAt === 'batches' && record.kind === 'epoch'))
    bent = { ...bent, at: BigInt(offset) };
  if (!rules.checkEpoch && bent.kind !== 'epoch') bent = { ...bent, epoch: state.epoch?.epoch ?? bent.epoch };
  return bent;
}

export interface Slot {
  readonly confirmed: number;
}

export function decide(folded: Folded, slot: Slot | null, before: number, rules: Rules) {
  const decision = startDecision(
    folded.state,
    {
      systemIdentifier: 's',
      timeline: 1,
      timelineEnds: new Map(),
      database: 'd',
      walEnd: ZERO_LSN,
      publicationExists: false,
      slot: slot && { name: 's', database: 'd', confirmedFlush: lsnFromBigint(BigInt(slot.confirmed)), invalid: false },
    },
    BigInt(before),
  );
  if (decision.kind !== 'resume' || rules.resumeAt === 'end LSN' || folded.state.complete.position === 0n)
    return decision;
  return { ...decision, from: folded.state.complete.commitLsn };
}

/** What a writer may acknowledge: by its answered records, unless a rule is off. */
export function mayAcknowledge(state: ManifestState, received: number, sent: number, rules: Rules): number {
  const answered = acknowledgeable(state);
  if (answered === ZERO_LSN) return 0;
  switch (rules.acknowledge) {
    case 'answered':
      return Number(answered);
    case 'plus one':
      return state.complete.position > 0n ? Number(answered) + 1 : Number(answered);
    case 'sent':
      return Math.max(Number(answered), sent);
    case 'received':
      return Math.max(Number(answered), received);
  }
}

export function heartbeatPossible(state: ManifestState, received: number): boolean {
  return heartbeatDue({
    state,
    walEnd: lsnFromBigint(BigInt(received)),
    pending: 0,
    millisecondsSinceLast: 0,
    intervalMilliseconds: 10_000,
    fence: true,
  });
}
