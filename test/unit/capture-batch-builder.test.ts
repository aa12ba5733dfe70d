import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Batch, BatchBuilder } from '../../services/capture/publish/batch-builder.ts';
import type { RoutedEvent } from '../../services/capture/stream/streamed-table.ts';
import type { CommittedTransaction } from '../../services/capture/stream/transaction-assembler.ts';
import { emptyManifest, fold, type ManifestState } from '../../shared/envelope/fold.ts';
import type { ManifestRecord } from '../../shared/envelope/manifest.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';

function routed(position: bigint, xid: number): RoutedEvent {
  return { event: { position, transaction: { xid } }, table: {}, partition: null } as unknown as RoutedEvent;
}

function committed(xid: number, fence = false): CommittedTransaction {
  const commitLsn = BigInt(xid * 100) as Lsn;
  return { xid, commitLsn, endLsn: (commitLsn + 48n) as Lsn, commitTime: 1n, fence };
}

/** Gives transactions of the given sizes to a builder; takes batches when `takeAt` says so, and all at the end. */
function build(sizes: readonly number[], limits: { events: number; bytes: number }, takeAt: (n: number) => boolean) {
  const builder = new BatchBuilder(limits, 0n as Lsn);
  const batches: Batch[] = [];
  let position = 0n;
  for (const [i, size] of sizes.entries()) {
    for (let n = 0; n < size; n++) builder.event(routed(++position, i + 1), 10);
    if (takeAt(i)) takeAll(builder, batches);
    builder.commit(committed(i + 1));
  }
  takeAll(builder, batches);
  return { builder, batches, position };
}

function takeAll(builder: BatchBuilder, into: Batch[]): void {
  for (let batch = builder.take(); batch; batch = builder.take()) into.push(batch);
}

/** What the publisher will append for these batches, folded. */
function folded(batches: readonly Batch[]): ManifestState {
  const state = emptyManifest();
  const header = { incarnation: 'i', epoch: 'e' };
  const epoch = { kind: 'epoch', ...header, at: 0n, lsn: 0n, tables: [] } as unknown as ManifestRecord;
  fold(state, 0n, epoch);
  for (const [i, { events, complete, ...batch }] of batches.entries()) {
    const at = BigInt(i + 1);
    const positions = { first: events[0]?.event.position, last: events.at(-1)?.event.position };
    const record = { kind: 'batch', ...header, at, ...batch, complete, ...positions, batch: at, segments: [] };
    fold(state, at, record as unknown as ManifestRecord);
  }
  return state;
}

describe('batch builder', () => {
  test('small transactions share a batch, up to the limits', () => {
    const { batches } = build([2, 2, 2, 1], { events: 5, bytes: 1000 }, () => false);
    expect(batches.map(({ events, transactions, lsn }) => [events.length, transactions, lsn])).toEqual([
      [4, 2, 248n],
      [3, 2, 448n],
    ]);
  });

  test('a large transaction is cut into parts of its own, the last of them never empty', () => {
    const { batches } = build([1, 6, 1], { events: 3, bytes: 1000 }, () => false);
    expect(
      batches.map(({ events, open, closes, transactions, lsn }) => [events.length, open, closes, transactions, lsn]),
    ).toEqual([
      [1, null, null, 1, 148n],
      [3, { xid: 2 }, null, 0, 148n],
      [3, null, 2, 1, 248n],
      [1, null, null, 1, 348n],
    ]);
  });

  test('bytes cut like counts', () => {
    const { batches } = build([6], { events: 100, bytes: 20 }, () => false);
    expect(batches.map(({ events }) => events.length)).toEqual([2, 2, 2]);
  });

  test('transactions without an event move the LSN, and the last batch carries it', () => {
    const { builder, batches } = build([1, 0, 0], { events: 3, bytes: 1000 }, () => false);
    expect(batches.map(({ lsn, complete }) => [lsn, complete?.xid])).toEqual([[348n, 1]]);
    builder.reached(900n as Lsn);
    expect(builder.through).toBe(900n);
    expect(builder.take()).toBeNull();
    expect(builder.empty).toBe(true);
  });

  test('nothing of an open transaction is taken before it fills a part', () => {
    const builder = new BatchBuilder({ events: 3, bytes: 1000 }, 0n as Lsn);
    builder.event(routed(1n, 1), 10);
    expect(builder.take()).toBeNull();
    expect(builder.empty).toBe(false);
  });

  test('a fence makes it urgent until its LSN is taken', () => {
    const builder = new BatchBuilder({ events: 3, bytes: 1000 }, 0n as Lsn);
    builder.event(routed(1n, 1), 10);
    builder.commit(committed(1, true));
    expect(builder.urgent).toBe(true);
    expect(builder.take()?.lsn).toBe(148n);
    expect(builder.urgent).toBe(false);
    expect(builder.fence).toBe(148n);
  });

  test('any transactions, any limits, taken at any time: the fold takes every batch, and all is complete', () => {
    const cases = fc.record({
      sizes: fc.array(fc.nat(12), { maxLength: 12 }),
      events: fc.integer({ min: 1, max: 7 }),
      bytes: fc.integer({ min: 1, max: 90 }),
      takes: fc.infiniteStream(fc.boolean()),
    });
    fc.assert(
      fc.property(cases, ({ sizes, events, bytes, takes }) => {
        const { builder, batches, position } = build(sizes, { events, bytes }, () => takes.next().value);
        const state = folded(batches);
        expect(state.position).toBe(position);
        expect(state.complete.position).toBe(position);
        expect(state.open).toBeNull();
        expect(builder.empty).toBe(true);
        const parts = batches.filter(({ open, closes }) => open !== null || closes !== null);
        for (const { events } of parts) expect(new Set(events.map(({ event }) => event.transaction.xid)).size).toBe(1);
        for (const batch of batches) expect(batch.events.length).toBeLessThanOrEqual(Math.max(events, 1));
      }),
    );
  });
});
