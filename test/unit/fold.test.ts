import { describe, expect, it } from 'vitest';
import { acknowledgeable, heartbeatDue } from '../../shared/envelope/acknowledgement.ts';
import { emptyManifest, fold, type ManifestState } from '../../shared/envelope/fold.ts';
import { decodeManifestRecord, encodeManifestRecord, type ManifestRecord } from '../../shared/envelope/manifest.ts';
import { checkSameSource, type SourceFacts, startDecision } from '../../shared/envelope/start-decision.ts';
import { formatLsn, type Lsn, lsnFromBigint, parseLsn, ZERO_LSN } from '../../shared/postgres/lsn.ts';

const lsn = (value: number) => lsnFromBigint(BigInt(value));
const table = { schema: 'public', name: 'orders' };

/** A manifest under construction: every record stands where it says unless told otherwise. */
class Log {
  readonly state: ManifestState = emptyManifest();
  epoch = 'e1';
  private next = 0n;

  add(body: Partial<ManifestRecord> & { kind: ManifestRecord['kind'] }, header: Partial<ManifestRecord> = {}) {
    const at = this.next++;
    const record = { incarnation: 'i', epoch: this.epoch, at, lsn: this.state.lsn, ...body, ...header };
    const written = decodeManifestRecord(encodeManifestRecord(record as ManifestRecord), at);
    return fold(this.state, at, written);
  }

  begin(epoch: string, header: Partial<ManifestRecord> = {}) {
    this.epoch = epoch;
    return this.add(
      {
        kind: 'epoch',
        task: 't',
        definition: { hash: 'h', types: ['schema', 'full', 'incremental'] },
        source: { systemIdentifier: '1', timeline: 1, database: 'd', serverVersion: 170000 },
        slot: 's',
        publication: 's',
        options: {},
        tables: [{ ...table, oid: 1, topic: 't.public.orders', partitions: 1, shape: 's' }],
        replicaIdentities: [],
        startedAt: '2026-01-01T00:00:00Z',
        host: 'h',
        pid: 1,
      },
      header,
    );
  }

  slot() {
    this.add({ kind: 'slot', slot: 's', consistentPoint: null });
    return this.add({ kind: 'slot', slot: 's', consistentPoint: lsn(100) }, { lsn: lsn(100) });
  }

  batch(number: number, first: number, last: number, end: number | null, more: object = {}) {
    const complete = end && { xid: 7, commitLsn: lsn(end - 8), endLsn: lsn(end), commitTime: 5n };
    return this.add(
      {
        kind: 'batch',
        batch: BigInt(number),
        first: BigInt(first),
        last: BigInt(last),
        transactions: end ? 1 : 0,
        complete: complete || null,
        open: end ? null : { xid: 7 },
        closes: null,
        bytes: 0,
        segments: [],
        ...more,
      },
      end ? { lsn: lsn(end) } : {},
    );
  }
}

function streaming(): Log {
  const log = new Log();
  log.begin('e1');
  log.slot();
  return log;
}

describe('fold', () => {
  it('counts what stands where it says under the newest epoch', () => {
    const log = streaming();
    expect(log.batch(1, 1, 3, 200)).toEqual({ counts: true, voids: false });
    expect(log.batch(2, 4, 4, 300, { at: 77n })).toEqual({ counts: false, why: 'other offset' });
    expect(log.batch(2, 4, 4, 300, { epoch: 'e0' })).toEqual({ counts: false, why: 'other epoch' });
    expect(log.batch(2, 4, 4, 300, { incarnation: 'x' })).toEqual({ counts: false, why: 'other incarnation' });
    expect(log.batch(1, 1, 3, 200)).toEqual({ counts: false, why: 'doubled batch' });
    expect(log.batch(2, 4, 4, 300)).toEqual({ counts: true, voids: false });
    expect(log.state).toMatchObject({ batch: 2n, position: 4n, lsn: lsn(300), nextOffset: 9n });
  });

  it('does not count an epoch that lost the race for its offset', () => {
    const log = streaming();
    expect(log.begin('e2', { at: 2n })).toEqual({ counts: false, why: 'other offset' });
    log.epoch = 'e1';
    expect(log.batch(1, 1, 1, 200).counts).toBe(true);
  });

  it('voids the parts of an open transaction, reusing their positions but not their numbers', () => {
    const log = streaming();
    log.batch(1, 1, 2, 200);
    log.batch(2, 3, 5, null);
    log.batch(3, 6, 8, null);
    expect(log.state).toMatchObject({ position: 8n, open: { xid: 7 }, lsn: lsn(200) });
    expect(log.begin('e2')).toEqual({ counts: true, voids: true });
    expect(log.state).toMatchObject({ position: 2n, open: null, batch: 3n });
    expect(() => log.batch(4, 9, 9, 300)).toThrow(/starts at position 9, expected 3/);
  });

  it.each([
    ['a gap in batch numbers', (log: Log) => log.batch(3, 1, 1, 200), /batch 3 follows batch 0/],
    ['a gap in positions', (log: Log) => log.batch(1, 2, 2, 200), /starts at position 2/],
    ['an LSN that goes back', (log: Log) => log.add({ kind: 'heartbeat' }, { lsn: lsn(50) }), /LSN is below/],
    ['a close without an open', (log: Log) => log.batch(1, 1, 1, 200, { closes: 7 }), /does not continue/],
    ['chunks of no read', (log: Log) => log.add({ kind: 'dropped', table, generation: 0n }), /no read/],
  ])('stops at %s', (_name, act, message) => {
    expect(() => act(streaming())).toThrow(message);
  });

  it('refuses a heartbeat and another transaction inside an open one', () => {
    const log = streaming();
    log.batch(1, 1, 2, null);
    expect(() => log.add({ kind: 'heartbeat' }, { lsn: lsn(300) })).toThrow(/inside an open transaction/);
    const other = streaming();
    other.batch(1, 1, 2, null);
    expect(() => other.batch(2, 3, 3, 300)).toThrow(/does not continue/);
  });

  it('refuses segments that overlap what is listed', () => {
    const log = streaming();
    const segment = { topic: 'a', partition: 0, offset: 10n, count: 5, crc32c: 1 };
    log.batch(1, 1, 5, 200, { segments: [segment] });
    expect(log.state.ends.get('a/0')).toMatchObject({ end: 15n, positions: { first: 1n, last: 5n } });
    expect(() => log.batch(2, 6, 6, 300, { segments: [{ ...segment, offset: 14n }] })).toThrow(/before the end 15/);
  });

  it('keeps generations of reads: a newer one voids, totals must agree', () => {
    const log = streaming();
    log.add({ kind: 'reload', table });
    const chunks = { kind: 'chunks' as const, table, generation: 3n, chunks: 2, rows: 20n, segments: [] };
    log.add(chunks);
    log.add({ kind: 'reload', table });
    expect(() => log.add(chunks)).toThrow(/no read/);
    const snapshot = { kind: 'slot' as const, consistentPoint: lsn(100) };
    const read = { kind: 'read' as const, table, generation: 5n, snapshot, chunks: 1, rows: 9n, upTo: lsn(400) };
    expect(() => log.add(read)).toThrow(/listed were 0 and 0/);
  });

  it('an interrupted read cannot go on under another epoch', () => {
    const log = streaming();
    log.add({ kind: 'reload', table });
    log.begin('e2');
    expect(() => log.add({ kind: 'dropped', table, generation: 3n })).toThrow(/no read/);
  });
});

const facts: SourceFacts = {
  systemIdentifier: '1',
  timeline: 1,
  timelineEnds: new Map(),
  database: 'shop',
  walEnd: lsn(1000),
  publicationExists: true,
  slot: { name: 's', database: 'shop', confirmedFlush: lsn(100), invalid: false },
};
const slot = (changes: Partial<NonNullable<SourceFacts['slot']>>) => ({
  ...facts,
  slot: { ...facts.slot!, ...changes },
});

describe('startDecision', () => {
  it('resumes at the end LSN of the last complete transaction', () => {
    const log = streaming();
    log.batch(1, 1, 2, 200);
    log.batch(2, 3, 4, null);
    log.begin('e2');
    expect(startDecision(log.state, facts, 5n)).toMatchObject({ kind: 'resume', from: lsn(200), position: 3n });
  });

  it.each([
    ['SOURCE_SLOT_MISSING', { ...facts, slot: null }],
    ['SOURCE_SLOT_INVALID', slot({ invalid: true })],
    ['SOURCE_SLOT_AHEAD', slot({ confirmedFlush: lsn(101) })],
  ])('stops with %s', (code, found) => {
    expect(() => startDecision(streaming().state, found, 3n)).toThrow(expect.objectContaining({ code }));
  });

  it('makes again only a slot whose creation was announced and not recorded', () => {
    const log = new Log();
    log.begin('e1');
    expect(startDecision(log.state, { ...facts, slot: null, publicationExists: false }, 0n)).toEqual({
      kind: 'create',
    });
    const unknown = expect.objectContaining({ code: 'SOURCE_OBJECTS_WITHOUT_MANIFEST' });
    expect(() => startDecision(log.state, facts, 0n)).toThrow(unknown);
    expect(() => startDecision(log.state, { ...facts, slot: null }, 0n)).toThrow(unknown);
    log.add({ kind: 'slot', slot: 's', consistentPoint: null });
    expect(startDecision(log.state, facts, 2n)).toEqual({ kind: 'recreate-slot' });
    expect(startDecision(log.state, { ...facts, slot: null }, 2n)).toEqual({ kind: 'create' });
  });

  it('knows another cluster and a history that forked too early', () => {
    const earlier = { systemIdentifier: '1', timeline: 1, database: 'shop' };
    expect(() => checkSameSource(earlier, lsn(200), facts)).not.toThrow();
    expect(() => checkSameSource({ ...earlier, systemIdentifier: '2' }, lsn(200), facts)).toThrow(/system identifier/);
    const promoted = (end: number) => ({ ...facts, timeline: 2, timelineEnds: new Map([[1, lsn(end)]]) });
    expect(() => checkSameSource(earlier, lsn(200), promoted(200))).not.toThrow();
    expect(() => checkSameSource(earlier, lsn(200), promoted(199))).toThrow(/ended at 0\/C7/);
  });

  it('knows another database of the cluster, also one that was renamed', () => {
    const earlier = { systemIdentifier: '1', timeline: 1, database: 'store' };
    expect(() => checkSameSource(earlier, lsn(200), facts)).not.toThrow();
    expect(() => checkSameSource(earlier, lsn(200), slot({ database: 'store' }))).toThrow(/database shop/);
    expect(() => checkSameSource(earlier, lsn(200), { ...facts, slot: null })).toThrow(/database shop/);
  });

  it('knows a source that was put back to before what was published', () => {
    const earlier = { systemIdentifier: '1', timeline: 1, database: 'shop' };
    expect(() => checkSameSource(earlier, lsn(1000), facts)).not.toThrow();
    expect(() => checkSameSource(earlier, lsn(1001), facts)).toThrow(/WAL ends at 0\/3E8/);
  });

  it('asks for the last transaction again, unless the slot is past it', () => {
    const log = streaming();
    log.batch(1, 1, 2, 200);
    const { complete } = log.state;
    const again = (confirmedFlush: Lsn) => startDecision(log.state, slot({ confirmedFlush }), 5n);
    expect(again(lsn(100))).toMatchObject({ again: complete });
    expect(again(complete.commitLsn)).toMatchObject({ again: complete });
    expect(again(complete.endLsn)).toMatchObject({ again: null });
    expect(startDecision(streaming().state, facts, 5n)).toMatchObject({ again: null });
  });
});

describe('acknowledgement', () => {
  it('is the LSN of what was answered, and nothing before the slot is recorded', () => {
    const log = new Log();
    log.begin('e1');
    log.add({ kind: 'slot', slot: 's', consistentPoint: null });
    expect(acknowledgeable(log.state)).toBe(ZERO_LSN);
    log.add({ kind: 'slot', slot: 's', consistentPoint: lsn(100) }, { lsn: lsn(100) });
    log.batch(1, 1, 2, 200);
    expect(acknowledgeable(log.state)).toBe(lsn(200));
    log.batch(2, 3, 4, null);
    expect(acknowledgeable(log.state)).toBe(lsn(200));
  });

  it('a heartbeat waits for its interval, for everything received, and for WAL that moved', () => {
    const { state } = streaming();
    const question = {
      state,
      walEnd: lsn(500),
      pending: 0,
      millisecondsSinceLast: 10_000,
      intervalMilliseconds: 10_000,
      fence: false,
    };
    expect(heartbeatDue(question)).toBe(true);
    expect(heartbeatDue({ ...question, millisecondsSinceLast: 9_999 })).toBe(false);
    expect(heartbeatDue({ ...question, millisecondsSinceLast: 0, fence: true })).toBe(true);
    expect(heartbeatDue({ ...question, pending: 1 })).toBe(false);
    expect(heartbeatDue({ ...question, walEnd: lsn(100), fence: true })).toBe(false);
  });
});

describe('LSN', () => {
  it('reads and writes the text of PostgreSQL', () => {
    expect(formatLsn(parseLsn('16/B374D848'))).toBe('16/B374D848');
    expect(parseLsn('FFFFFFFF/FFFFFFFF')).toBe(0xffff_ffff_ffff_ffffn);
    expect(() => parseLsn('16B374D848')).toThrow(RangeError);
  });
});
