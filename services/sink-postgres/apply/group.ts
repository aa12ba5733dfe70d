import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';
import type { AppliedPosition } from '../bookkeeping/position.ts';
import type { CountedBatch, FeedItem } from '../consume/feed-item.ts';

export interface GroupLimits {
  /** Only what commits below it; null: everything. */
  readonly before: Lsn | null;
  readonly events: number;
  readonly bytes: number;
}

/** What one destination transaction does: whole source transactions, and the applied position after them. */
export type Group = {
  readonly next: AppliedPosition;
  readonly transactions: number;
  /** That the events stand in. */
  readonly batches: readonly CountedBatch[];
} & ({ readonly kind: 'events'; readonly events: readonly PackedEvent[] } | { readonly kind: 'large' });

export interface Taken {
  /** null: there is nothing, or nothing that is allowed. */
  readonly group: Group | null;
  readonly rest: readonly FeedItem[];
  /** The front of the rest commits at or above `before`. */
  readonly blocked: boolean;
}

/** Takes from the front of the queue up to the limits, one item at least. `from`: the applied position before it. */
export function takeGroup(queue: readonly FeedItem[], from: AppliedPosition, limits: GroupLimits): Taken {
  const [head] = queue;
  if (head?.kind === 'large') return takeLarge(head, { queue, from, limits });
  const events: PackedEvent[] = [];
  const batches: CountedBatch[] = [];
  let next = from;
  let bytes = 0;
  for (const [index, item] of queue.entries()) {
    const rest = () => queue.slice(index);
    if (item.kind === 'large') return taken({ from, next, events, batches }, rest(), false);
    if (item.kind === 'mark') {
      next = { ...next, ...stands(item), lsn: item.record.lsn };
      continue;
    }
    const full = events.length + item.events.length > limits.events || bytes + item.bytes > limits.bytes;
    if (full && next !== from) return taken({ from, next, events, batches }, rest(), false);
    const count = allowed(item, limits.before);
    if (count === null) {
      append(events, item.events);
      batches.push(item);
      bytes += item.bytes;
      next = through(next, item);
      continue;
    }
    const last = item.events[count - 1];
    if (last === undefined) return taken({ from, next, events, batches }, rest(), true);
    append(events, item.events.slice(0, count));
    batches.push(item);
    next = upTo(next, item, last);
    const remaining = { ...item, events: item.events.slice(count) };
    return taken({ from, next, events, batches }, [remaining, ...queue.slice(index + 1)], true);
  }
  return taken({ from, next, events, batches }, [], false);
}

interface LargeQuestion {
  readonly queue: readonly FeedItem[];
  readonly from: AppliedPosition;
  readonly limits: GroupLimits;
}

function takeLarge(head: Extract<FeedItem, { kind: 'large' }>, { queue, from, limits }: LargeQuestion): Taken {
  const { parts, last } = head;
  if (limits.before !== null && last.record.complete!.commitLsn >= limits.before) {
    return { group: null, rest: queue, blocked: true };
  }
  const group = { kind: 'large', batches: parts, next: through(from, last), transactions: 1 } as const;
  return { group, rest: queue.slice(1), blocked: false };
}

interface Gathered {
  readonly from: AppliedPosition;
  readonly next: AppliedPosition;
  readonly events: readonly PackedEvent[];
  readonly batches: readonly CountedBatch[];
}

function taken({ from, next, events, batches }: Gathered, rest: readonly FeedItem[], blocked: boolean): Taken {
  const group =
    next === from ? null : ({ kind: 'events', events, next, batches, transactions: transactionsOf(events) } as const);
  return { group, rest, blocked };
}

/** How many of the batch's events may be applied; null: all of the batch. */
function allowed(batch: Extract<FeedItem, { kind: 'batch' }>, before: Lsn | null): number | null {
  if (before === null || batch.record.complete!.commitLsn < before) return null;
  const first = batch.events.findIndex(({ commitLsn }) => commitLsn >= before);
  return first === -1 ? batch.events.length : first;
}

function stands({ offset, record }: FeedItemRecord): Pick<AppliedPosition, 'epoch' | 'manifestOffset'> {
  return { epoch: record.epoch, manifestOffset: offset };
}

type FeedItemRecord = { readonly offset: bigint; readonly record: { readonly epoch: string } };

function through(position: AppliedPosition, batch: CountedBatch): AppliedPosition {
  const { record } = batch;
  const { commitTime } = record.complete!;
  return { ...position, ...stands(batch), batch: record.batch, position: record.last, lsn: record.lsn, commitTime };
}

function upTo(position: AppliedPosition, batch: CountedBatch, last: PackedEvent): AppliedPosition {
  const { commitLsn, commitTime } = last.transaction;
  const place = { ...stands(batch), batch: batch.record.batch, position: BigInt(last.position) };
  return { ...position, ...place, lsn: commitLsn, commitTime };
}

function transactionsOf(events: readonly PackedEvent[]): number {
  let count = 0;
  let last = -1;
  for (const { commitLsn } of events) {
    if (commitLsn === last) continue;
    last = commitLsn;
    count++;
  }
  return count;
}

function append(events: PackedEvent[], more: readonly PackedEvent[]): void {
  for (const event of more) events.push(event);
}
