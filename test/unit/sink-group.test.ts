import { describe, expect, test } from 'vitest';
import { takeGroup } from '../../services/sink-postgres/apply/group.ts';
import type { AppliedPosition } from '../../services/sink-postgres/bookkeeping/position.ts';
import type { CountedBatch, FeedItem } from '../../services/sink-postgres/consume/feed-item.ts';
import type { ChangeEvent } from '../../shared/envelope/change-event.ts';
import type { RecordOf } from '../../shared/envelope/manifest.ts';
import { type Lsn, ZERO_LSN } from '../../shared/postgres/lsn.ts';
import { EventLog, insert, packed, tableShape } from '../support/sink-events.ts';

const shape = tableShape('t', ['id* int']);
const head = { incarnation: 'i', epoch: 'e' };
const from: AppliedPosition = {
  ...head,
  clusterId: 'c',
  batch: 0n,
  position: 0n,
  manifestOffset: 0n,
  lsn: ZERO_LSN,
  commitTime: null,
};
const unlimited = { before: null, events: 1000, bytes: 1000 };

/** Batches of one transaction for each given count of events. */
class Items {
  readonly #log = new EventLog();
  #offset = 0n;
  #batch = 0n;

  batch(...counts: number[]): Extract<FeedItem, { kind: 'batch' }> {
    const events = counts.flatMap((count) =>
      this.#log.transaction(Array.from({ length: count }, (_, i) => [shape, insert([String(i)])] as const)),
    );
    return { kind: 'batch', ...this.#counted(events), events: packed(events), bytes: events.length };
  }

  large(count: number): Extract<FeedItem, { kind: 'large' }> {
    const { events: _, bytes: __, ...last } = this.batch(count);
    return { kind: 'large', parts: [last], last };
  }

  mark(lsn: bigint): FeedItem {
    this.#offset += 1n;
    const record = { kind: 'heartbeat', ...head, at: this.#offset, lsn: lsn as Lsn } as const;
    return { kind: 'mark', offset: this.#offset, record };
  }

  #counted(events: ChangeEvent[]): CountedBatch {
    this.#offset += 1n;
    this.#batch += 1n;
    const { transaction } = events.at(-1)!;
    const endLsn = (transaction.commitLsn + 10n) as Lsn;
    const record: RecordOf<'batch'> = {
      kind: 'batch',
      ...head,
      at: this.#offset,
      lsn: endLsn,
      batch: this.#batch,
      first: events[0]!.position,
      last: events.at(-1)!.position,
      transactions: 1,
      complete: { ...transaction, endLsn },
      open: null,
      closes: null,
      bytes: 0,
      segments: [],
    };
    return { offset: this.#offset, record };
  }
}

describe('takeGroup', () => {
  test('takes everything that is there, and stands at its end', () => {
    const items = new Items();
    const queue = [items.batch(2, 1), items.mark(1250n), items.batch(3)];
    const { group, rest, blocked } = takeGroup(queue, from, unlimited);
    expect(group).toMatchObject({
      kind: 'events',
      transactions: 3,
      next: { batch: 2n, position: 6n, manifestOffset: 3n },
    });
    expect([rest, blocked]).toEqual([[], false]);
  });

  test('stops at the limits, but takes one batch however large it is', () => {
    const items = new Items();
    const queue = [items.batch(5), items.batch(1)];
    const { group, rest } = takeGroup(queue, from, { ...unlimited, events: 4 });
    expect(group?.next.position).toBe(5n);
    expect(rest).toEqual([queue[1]]);
  });

  test('nothing there: no group', () => {
    expect(takeGroup([], from, unlimited)).toEqual({ group: null, rest: [], blocked: false });
  });

  test('a mark moves the LSN and the manifest offset, not the position', () => {
    const { group } = takeGroup([new Items().mark(77n)], from, unlimited);
    expect(group?.next).toEqual({ ...from, manifestOffset: 1n, lsn: 77n });
  });

  test('run to: cuts a batch between transactions, and goes on behind the cut', () => {
    const batch = new Items().batch(2, 2, 1);
    const before = batch.events[2]!.transaction.commitLsn;
    const first = takeGroup([batch], from, { ...unlimited, before });
    expect(first.group).toMatchObject({ transactions: 1, next: { batch: 1n, position: 2n, manifestOffset: 1n } });
    expect(first.blocked).toBe(true);
    const blocked = takeGroup(first.rest, first.group!.next, { ...unlimited, before });
    expect(blocked).toMatchObject({ group: null, blocked: true });
    const second = takeGroup(blocked.rest, first.group!.next, unlimited);
    expect(second.group).toMatchObject({ transactions: 2, next: { position: 5n } });
  });

  test('run to: what commits exactly there stays out', () => {
    const batch = new Items().batch(1);
    const at = batch.record.complete!.commitLsn;
    expect(takeGroup([batch], from, { ...unlimited, before: at })).toMatchObject({ group: null, blocked: true });
    const above = (at + 1n) as Lsn;
    expect(takeGroup([batch], from, { ...unlimited, before: above }).group?.next.position).toBe(1n);
  });

  test('a large transaction is a group of its own, after what comes before it', () => {
    const items = new Items();
    const queue = [items.batch(1), items.large(2), items.batch(1)];
    const first = takeGroup(queue, from, unlimited);
    expect(first.group).toMatchObject({ kind: 'events', next: { position: 1n } });
    const second = takeGroup(first.rest, first.group!.next, unlimited);
    expect(second.group).toMatchObject({ kind: 'large', transactions: 1, next: { position: 3n, batch: 2n } });
    expect(second.rest).toEqual([queue[2]]);
  });

  test('run to: a large transaction at or above it is blocked', () => {
    const large = new Items().large(3);
    const before = large.last.record.complete!.commitLsn;
    expect(takeGroup([large], from, { ...unlimited, before })).toMatchObject({ group: null, blocked: true });
  });
});
