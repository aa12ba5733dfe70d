import { formatLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';

/**
 * The kinds of manifest record that come hundreds of times a second, written and read by hand: a third of what the
 * general codec of manifest.ts takes. That one stays the judge: what is not exactly as it should be is left to it.
 */

interface Header {
  readonly incarnation: string;
  readonly epoch: string;
  readonly at: bigint;
  readonly lsn: Lsn;
  readonly checkpoint?: bigint | undefined;
}

interface Segment {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly count: number;
  readonly crc32c: number;
}

interface Complete {
  readonly xid: number;
  readonly commitLsn: Lsn;
  readonly endLsn: Lsn;
  readonly commitTime: bigint;
}

interface Heartbeat extends Header {
  readonly kind: 'heartbeat';
}

interface BatchRecord extends Header {
  readonly kind: 'batch';
  readonly batch: bigint;
  readonly first: bigint;
  readonly last: bigint;
  readonly transactions: number;
  readonly complete: Complete | null;
  readonly open: { readonly xid: number } | null;
  readonly closes: number | null;
  readonly bytes: number;
  readonly segments: Segment[];
}

type Parsed = Readonly<Record<string, unknown>>;

/** Texts are put together: JSON.stringify takes several times as long. */
export function encodeFrequent(record: BatchRecord | Heartbeat): string {
  const { kind, incarnation, epoch, at, lsn, checkpoint } = record;
  const named = checkpoint === undefined ? '' : `,"checkpoint":"${checkpoint}"`;
  const header = `"incarnation":${quoted(incarnation)},"epoch":${quoted(epoch)},"at":"${at}","lsn":"${formatLsn(lsn)}"${named}`;
  if (record.kind === 'heartbeat') return `{"kind":"${kind}",${header}}`;
  const { batch, first, last, transactions, complete, open, closes, bytes, segments } = record;
  const positions = `"batch":"${batch}","first":"${first}","last":"${last}","transactions":${transactions}`;
  const parts = `"open":${open === null ? null : `{"xid":${open.xid}}`},"closes":${closes}`;
  const listed = segments.map(encodedSegment).join();
  return `{"kind":"${kind}",${header},${positions},"complete":${encodedComplete(complete)},${parts},"bytes":${bytes},"segments":[${listed}]}`;
}

function encodedComplete(complete: Complete | null): string {
  if (complete === null) return 'null';
  const { xid, commitLsn, endLsn, commitTime } = complete;
  return `{"xid":${xid},"commitLsn":"${formatLsn(commitLsn)}","endLsn":"${formatLsn(endLsn)}","commitTime":"${commitTime}"}`;
}

function encodedSegment({ topic, partition, offset, count, crc32c }: Segment): string {
  return `{"topic":${quoted(topic)},"partition":${partition},"offset":"${offset}","count":${count},"crc32c":${crc32c}}`;
}

function quoted(value: string): string {
  return JSON.stringify(value);
}

/** null: another kind, or not of this form. */
export function decodeFrequent(parsed: unknown): BatchRecord | Heartbeat | null {
  const record = parsed as Parsed | null;
  if (record?.kind !== 'batch' && record?.kind !== 'heartbeat') return null;
  try {
    return record.kind === 'batch' ? batchOf(record) : { kind: 'heartbeat', ...headerOf(record) };
  } catch (error) {
    if (error instanceof OtherForm || error instanceof RangeError) return null;
    throw error;
  }
}

class OtherForm extends Error {}

function headerOf({ incarnation, epoch, at, lsn, checkpoint }: Parsed): Header {
  const header = { incarnation: text(incarnation), epoch: text(epoch), at: int64(at), lsn: lsnOf(lsn) };
  return checkpoint === undefined ? header : { ...header, checkpoint: int64(checkpoint) };
}

function batchOf(record: Parsed): BatchRecord {
  return {
    kind: 'batch',
    ...headerOf(record),
    batch: int64(record.batch),
    first: int64(record.first),
    last: int64(record.last),
    transactions: count(record.transactions, 0),
    complete: record.complete === null ? null : completeOf(object(record.complete)),
    open: record.open === null ? null : { xid: count(object(record.open).xid, 0) },
    closes: record.closes === null ? null : count(record.closes, 0),
    bytes: count(record.bytes, 0),
    segments: array(record.segments).map((segment) => segmentOf(object(segment))),
  };
}

function completeOf({ xid, commitLsn, endLsn, commitTime }: Parsed): Complete {
  return {
    xid: count(xid, 0),
    commitLsn: lsnOf(commitLsn),
    endLsn: lsnOf(endLsn),
    commitTime: int64(commitTime),
  };
}

function segmentOf(segment: Parsed): Segment {
  return {
    topic: text(segment.topic),
    partition: count(segment.partition, 0),
    offset: int64(segment.offset),
    count: count(segment.count, 1),
    crc32c: count(segment.crc32c, 0),
  };
}

const DIGITS = /^\d+$/;

function int64(value: unknown): bigint {
  if (typeof value !== 'string' || !DIGITS.test(value)) throw new OtherForm();
  return BigInt(value);
}

/** @throws RangeError as parseLsn does */
function lsnOf(value: unknown): Lsn {
  return parseLsn(text(value));
}

function count(value: unknown, least: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least) throw new OtherForm();
  return value as number;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new OtherForm();
  return value;
}

function object(value: unknown): Parsed {
  if (typeof value !== 'object' || value === null) throw new OtherForm();
  return value as Parsed;
}

function array(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new OtherForm();
  return value;
}
