import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Batch, BatchBuilder } from '../../services/capture/publish/batch-builder.ts';
import { TableLanes } from '../../services/capture/publish/table-lanes.ts';
import type { StreamedTable } from '../../services/capture/stream/streamed-table.ts';
import type { CommittedTransaction } from '../../services/capture/stream/transaction-assembler.ts';
import type { EventCodec } from '../../shared/envelope/codec.ts';
import { emptyManifest, fold, type ManifestState } from '../../shared/envelope/fold.ts';
import type { ManifestRecord } from '../../shared/envelope/manifest.ts';
import type { OutgoingEvent } from '../../shared/envelope/outgoing-event.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import { recordsOf } from '../support/sealed-records.ts';

const VALUE_BYTES = 10;

/** Three topic-partitions. */
const tables = [1, 2].map((partitions): StreamedTable => {
  const shape = { schema: 's', name: `t${partitions}`, oid: partitions, identity: 'default', columns: [] } as const;
  return { shape, topic: shape.name, partitions };
});

/** Positions, as texts of VALUE_BYTES. */
const codec: EventCodec = {
  encoder: async () => ({
    encode({ position }, out) {
      out.reserve(VALUE_BYTES);
      out.at += out.buffer.write(`${position}`.padEnd(VALUE_BYTES), out.at);
    },
  }),
  decode: () => notAsked(),
  scanner: () => notAsked(),
};

function notAsked(): never {
  throw new Error('not asked for');
}

async function lanes(): Promise<TableLanes> {
  const all = new TableLanes({ codec, maxMessageBytes: 1024 * 1024, onAway: notAsked });
  await all.registerAll(tables, new AbortController().signal);
  return all;
}

function give(builder: BatchBuilder, position: number, xid: number): void {
  const table = tables[position % 2]!;
  const event = { op: 't', position, transaction: { xid } } as OutgoingEvent;
  builder.event(event, table, position % 3 === 0 ? table.partitions - 1 : 0);
}

/** Positions of a batch in order, each from its record; the segments are consistent with themselves. */
function positionsOf(batch: Batch): number[] {
  const positions = batch.segments.flatMap((segment) => {
    const found = recordsOf(segment).map(({ value }) => Number(value));
    expect(found).toEqual(found.toSorted((a, b) => a - b));
    return found;
  });
  expect(positions).toHaveLength(batch.events);
  expect(batch.bytes).toBe(batch.events * VALUE_BYTES);
  return positions.sort((a, b) => a - b);
}

function committed(xid: number, fence = false): CommittedTransaction {
  const commitLsn = BigInt(xid * 100) as Lsn;
  return { xid, commitLsn, endLsn: (commitLsn + 48n) as Lsn, commitTime: 1n, fence };
}

interface Limits {
  readonly events: number;
  readonly bytes: number;
  readonly bytesPerLane?: number;
}

/** Gives transactions of the given sizes to a builder; takes batches when `takeAt` says so, and all at the end. */
async function build(sizes: readonly number[], limits: Limits, takeAt: (n: number) => boolean) {
  const builder = new BatchBuilder(await lanes(), { bytesPerLane: 0, ...limits }, 0n as Lsn);
  const batches: Batch[] = [];
  let position = 0;
  for (const [i, size] of sizes.entries()) {
    for (let n = 0; n < size; n++) give(builder, ++position, i + 1);
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
  for (const [i, batch] of batches.entries()) {
    const at = BigInt(i + 1);
    const record = { kind: 'batch', ...header, at, ...batch, batch: at, segments: [] };
    fold(state, at, record as unknown as ManifestRecord);
  }
  return state;
}

describe('batch builder', () => {
  test('a batch over so many lanes that their share is more than the limit holds more bytes', async () => {
    const one = await build([1, 1, 1, 1], { events: 100, bytes: 20 }, () => false);
    const shared = await build([1, 1, 1, 1], { events: 100, bytes: 20, bytesPerLane: 10_000 }, () => false);
    expect([one.batches.length, shared.batches.length]).toEqual([2, 1]);
  });

  test('complete transactions in so many lanes say so until they are taken', async () => {
    const builder = new BatchBuilder(await lanes(), { events: 100, bytes: 20, bytesPerLane: 15 }, 0n as Lsn);
    give(builder, 1, 1);
    builder.commit(committed(1));
    expect(builder.ofMany).toBe(false);
    give(builder, 2, 2);
    expect(builder.ofMany).toBe(false);
    builder.commit(committed(2));
    expect([builder.ofMany, builder.urgent]).toEqual([true, false]);
    expect(builder.take()?.events).toBe(2);
    expect(builder.ofMany).toBe(false);
  });

  test('small transactions share a batch, up to the limits', async () => {
    const { batches } = await build([2, 2, 2, 1], { events: 5, bytes: 1000 }, () => false);
    expect(batches.map(({ events, transactions, lsn }) => [events, transactions, lsn])).toEqual([
      [4, 2, 248n],
      [3, 2, 448n],
    ]);
  });

  test('a large transaction is cut into parts of its own, the last of them never empty', async () => {
    const { batches } = await build([1, 6, 1], { events: 3, bytes: 1000 }, () => false);
    expect(
      batches.map(({ events, open, closes, transactions, lsn }) => [events, open, closes, transactions, lsn]),
    ).toEqual([
      [1, null, null, 1, 148n],
      [3, { xid: 2 }, null, 0, 148n],
      [3, null, 2, 1, 248n],
      [1, null, null, 1, 348n],
    ]);
  });

  test('bytes cut like counts', async () => {
    const { batches } = await build([6], { events: 100, bytes: 20 }, () => false);
    expect(batches.map(({ events }) => events)).toEqual([2, 2, 2]);
  });

  test('transactions without an event move the LSN, and the last batch carries it', async () => {
    const { builder, batches } = await build([1, 0, 0], { events: 3, bytes: 1000 }, () => false);
    expect(batches.map(({ lsn, complete }) => [lsn, complete?.xid])).toEqual([[348n, 1]]);
    builder.reached(900n as Lsn);
    expect(builder.through).toBe(900n);
    expect(builder.take()).toBeNull();
    expect(builder.empty).toBe(true);
  });

  test('nothing of an open transaction is taken before it fills a part', async () => {
    const builder = new BatchBuilder(await lanes(), { events: 3, bytes: 1000, bytesPerLane: 0 }, 0n as Lsn);
    give(builder, 1, 1);
    expect(builder.take()).toBeNull();
    expect(builder.empty).toBe(false);
  });

  test('a fence makes it urgent until its LSN is taken', async () => {
    const builder = new BatchBuilder(await lanes(), { events: 3, bytes: 1000, bytesPerLane: 0 }, 0n as Lsn);
    give(builder, 1, 1);
    builder.commit(committed(1, true));
    expect(builder.urgent).toBe(true);
    expect(builder.take()?.lsn).toBe(148n);
    expect(builder.urgent).toBe(false);
    expect(builder.fence).toBe(148n);
  });

  test('any transactions, any limits, taken at any time: every event once and in order, and the fold takes it', async () => {
    const cases = fc.record({
      sizes: fc.array(fc.nat(12), { maxLength: 12 }),
      events: fc.integer({ min: 1, max: 7 }),
      bytes: fc.integer({ min: 1, max: 90 }),
      takes: fc.infiniteStream(fc.boolean()),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ sizes, events, bytes, takes }) => {
        const { builder, batches, position } = await build(sizes, { events, bytes }, () => takes.next().value);
        const state = folded(batches);
        expect(state.position).toBe(BigInt(position));
        expect(state.complete.position).toBe(BigInt(position));
        expect(state.open).toBeNull();
        expect(builder.empty).toBe(true);
        expect(builder.bytes).toBe(0);
        const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size, 0));
        const transactionOf = (at: number) => ends.findIndex((end) => at <= end);
        expect(batches.flatMap(positionsOf)).toEqual(Array.from({ length: position }, (_, i) => i + 1));
        for (const batch of batches) {
          const found = positionsOf(batch);
          expect([batch.first, batch.last]).toEqual([BigInt(found[0]!), BigInt(found.at(-1)!)]);
          expect(batch.events).toBeLessThanOrEqual(Math.max(events, 1));
          if (batch.open === null && batch.closes === null) continue;
          expect(new Set(found.map(transactionOf)).size).toBe(1);
        }
      }),
    );
  });
});
