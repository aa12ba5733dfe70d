import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointOf } from '../../shared/envelope/checkpoint.ts';
import { copyOf, emptyManifest, type ManifestState } from '../../shared/envelope/fold.ts';
import { encodeManifestRecord, type ManifestRecord } from '../../shared/envelope/manifest.ts';
import { manifestBelow, type StoredRecord } from '../../shared/envelope/manifest-reading.ts';
import { namesItsPlace, readRecord } from '../../shared/envelope/read-record.ts';
import { lsnFromBigint } from '../../shared/postgres/lsn.ts';

const table = { schema: 'public', name: 'orders' };
type Body = { readonly kind: ManifestRecord['kind'] } & Record<string, unknown>;

/** A manifest as Kafka holds it, with what it folds to, record by record from its beginning, below each offset. */
class Log {
  readonly stored: StoredRecord[] = [];
  readonly below: ManifestState[] = [emptyManifest()];
  epochs = 0;

  get state(): ManifestState {
    return this.below.at(-1)!;
  }

  put(value: Buffer | null): void {
    const offset = BigInt(this.stored.length);
    const next = copyOf(this.state);
    readRecord(next, offset, value);
    this.stored.push({ offset, value });
    this.below.push(next);
  }

  record(body: Body, header: Record<string, unknown> = {}): Buffer {
    const { checkpoint, lsn, epoch } = this.state;
    const named = checkpoint ? { checkpoint: checkpoint.offset } : {};
    const own = { incarnation: 'i', epoch: epoch?.epoch, at: BigInt(this.stored.length), lsn, ...named };
    return encodeManifestRecord({ ...own, ...body, ...header } as unknown as ManifestRecord);
  }

  add(body: Body, header: Record<string, unknown> = {}): void {
    this.put(this.record(body, header));
  }

  begin(tables: readonly string[] = ['t.public.orders']): void {
    const tablesOf = (topic: string) => ({ ...table, oid: 1, topic, partitions: 1, shape: 's' });
    const definition = { hash: 'h', types: ['full', 'incremental'] };
    const source = { systemIdentifier: '1', timeline: 1, database: 'd', serverVersion: 170000 };
    const who = { task: 't', slot: 's', publication: 's', options: {}, startedAt: '', host: '', pid: 1 };
    const body = { ...who, definition, source, tables: tables.map(tablesOf), replicaIdentities: [] };
    this.add({ kind: 'epoch', ...body }, { epoch: `e${++this.epochs}` });
  }

  batch({ open = false, header = {} }: { open?: boolean; header?: Record<string, unknown> } = {}): void {
    const { state } = this;
    const end = lsnFromBigint(state.lsn + 10n);
    const segment = { topic: 't.public.orders', partition: 0, count: 1, crc32c: 1 };
    const body = {
      batch: state.batch + 1n,
      first: state.position + 1n,
      last: state.position + 1n,
      transactions: open ? 0 : 1,
      complete: open ? null : { xid: 7, commitLsn: state.lsn, endLsn: end, commitTime: state.batch },
      open: open ? { xid: 7 } : null,
      closes: !open && state.open ? 7 : null,
      bytes: 1,
      segments: [{ ...segment, offset: state.ends.get('t.public.orders/0')?.end ?? 0n }],
    };
    this.add({ kind: 'batch', ...body }, { ...(open ? {} : { lsn: end }), ...header });
  }

  read(): void {
    this.add({ kind: 'reload', table });
    const generation = BigInt(this.stored.length) - 1n;
    const visibility = { xmin: 1n, xmax: 5n, running: [3n] };
    const totals = { generation, chunks: 0, rows: 0n, upTo: this.state.lsn };
    this.add({ kind: 'read', table, ...totals, snapshot: { kind: 'ordinary', visibility } });
  }

  checkpoint(header: Record<string, unknown> = {}): void {
    this.add({ kind: 'checkpoint', state: checkpointOf(this.state) }, header);
  }

  /** Reads below `end`, a few records at a time; what it asked for lies at or above `low`. */
  from(end = this.stored.length, low = 0): { state: ManifestState; given: number; first: bigint } {
    const reading = manifestBelow({ low: BigInt(low), end: BigInt(end) });
    let given = 0;
    let first = BigInt(end);
    let step = reading.next();
    while (step.done !== true) {
      const { from } = step.value;
      if (from < first) first = from;
      const some = Math.min(Number(from) + 7, Number(step.value.end));
      const records = this.stored.slice(Number(from), some);
      given += records.length;
      step = reading.next(records);
    }
    return { state: step.value, given, first };
  }
}

/** What may come to stand in a manifest: capture's own records, those of dead captures, and what others write there. */
const steps: Record<string, (log: Log, number: number) => void> = {
  batch: (log) => log.batch(),
  part: (log) => log.batch({ open: true }),
  heartbeat: (log) => (log.state.open ? log.batch() : log.add({ kind: 'heartbeat' })),
  read: (log) => log.read(),
  epoch: (log, number) =>
    log.begin(number % 3 === 0 ? ['t.public.orders'] : ['t.public.orders', `t.public.t${number}`]),
  checkpoint: (log) => log.checkpoint(),
  stopped: (log) => log.add({ kind: 'stopped', code: 'c', message: 'm', remedy: 'r' }),
  'writer that makes none': (log) => log.batch({ header: { checkpoint: undefined } }),
  'late record': (log, number) => log.put(log.record({ kind: 'heartbeat' }, { at: passed(log, number), epoch: 'e1' })),
  'late checkpoint': (log, number) => log.checkpoint({ at: passed(log, number), epoch: 'e1' }),
  'doubled record': (log, number) => log.put(log.stored[number % log.stored.length]!.value),
  'foreign record': (log) => log.put(Buffer.from('foreign')),
  'record without value': (log) => log.put(null),
  'record cut off': (log) => log.put(Buffer.from('{"kind":"checkpoint","at":')),
  'record of another task': (log, number) => {
    log.put(log.record({ kind: 'heartbeat' }, { incarnation: 'j', checkpoint: BigInt(number % log.stored.length) }));
  },
  'forged record at its place': (log, number) => {
    log.put(log.record({ kind: 'heartbeat' }, { epoch: 'e0', checkpoint: BigInt(number % log.stored.length) }));
  },
};

/** An offset that stands already: a record that names one to come would count, once it was doubled there. */
function passed(log: Log, number: number): bigint {
  return BigInt(number % log.stored.length);
}

const history = fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.nat(60)), { maxLength: 60 });

function logOf(taken: readonly (readonly [string, number])[]): Log {
  const log = new Log();
  log.begin();
  for (const [name, number] of taken) steps[name]!(log, number);
  return log;
}

describe('a manifest read from a checkpoint', () => {
  it('folds to what it folds to from its beginning, below every offset, whatever stands in it', () => {
    const checked = fc.property(history, (taken) => {
      const log = logOf(taken);
      for (const [end, state] of log.below.entries()) expect(log.from(end).state).toEqual(state);
    });
    fc.assert(checked, { numRuns: 80 });
  }, 60_000);

  it('asks for what stands between checkpoint and end, however long the manifest is', () => {
    const log = new Log();
    log.begin();
    for (let i = 1; i <= 800; i++) {
      log.batch();
      if (i % 100 === 0) log.checkpoint();
    }
    for (const end of [log.stored.length, 500]) {
      const { state, given, first } = log.from(end);
      expect(state).toEqual(log.below[end]);
      expect(given).toBeLessThan(150);
      expect(Number(first)).toBeGreaterThan(end - 220);
    }
    // What stood before the checkpoint may be gone.
    expect(log.from(500, 450).state).toEqual(log.below[500]);
  });

  it('walks back over foreign records to one that names a checkpoint', () => {
    const log = logOf([
      ['batch', 0],
      ['checkpoint', 0],
      ['batch', 0],
    ]);
    for (let i = 0; i < 1200; i++) steps[i < 400 ? 'batch' : 'foreign record']!(log, i);
    const { state, first } = log.from();
    expect(state).toEqual(log.state);
    expect(first).toBe(2n);
  });

  it('is read from its beginning where what follows contradicts the checkpoint', () => {
    const log = logOf([
      ['batch', 0],
      ['checkpoint', 0],
      ['batch', 0],
    ]);
    const record = JSON.parse(String(log.stored[2]!.value)) as { state: { batch: string } };
    record.state.batch = '7';
    log.stored[2] = { offset: 2n, value: Buffer.from(JSON.stringify(record)) };
    expect(() => log.from()).toThrow(/offset 2: it holds another state \(batch\)/);
  });

  it('stops at a record that names another checkpoint than the newest', () => {
    const log = logOf([
      ['checkpoint', 0],
      ['batch', 0],
      ['checkpoint', 0],
    ]);
    expect(() => log.batch({ header: { checkpoint: 1n } })).toThrow(/names a checkpoint at 1, the newest is at 3/);
    expect(() => logOf([]).batch({ header: { checkpoint: 0n } })).toThrow(/the newest is at none/);
  });

  it('knows a record of an attempt that is over at its own place, which Sluice never leaves', () => {
    const log = logOf([['forged record at its place', 0]]);
    expect(namesItsPlace(1n, log.stored[1]!.value)).toBe(true);
  });
});
