import type pg from 'pg';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import type { Logger } from '../../../shared/service/logger.ts';
import type { AppliedPosition } from '../bookkeeping/position.ts';
import { type Request, writeReached } from '../bookkeeping/requests.ts';
import { type Destination, destinationFailure } from '../bookkeeping/session.ts';
import type { Bell } from '../consume/bell.ts';
import type { Feed } from '../consume/feed.ts';
import type { CountedBatch, FeedItem } from '../consume/feed-item.ts';
import type { SegmentReader } from '../consume/segment-reader.ts';
import { type ApplyContext, applyWork, type PreparedPart, prepare, type Work } from './destination-transaction.ts';
import { type Group, takeGroup } from './group.ts';
import { withOffset } from './offset-of-refusal.ts';
import type { RequestWatch } from './request-watch.ts';

export interface StreamOptions {
  readonly context: ApplyContext;
  /** A session of its own for answers to requests. */
  readonly control: pg.Client;
  readonly destination: Destination;
  readonly feed: Feed;
  /** Reads the parts of large transactions, beside the feed. */
  readonly reader: SegmentReader;
  readonly requests: RequestWatch;
  readonly bell: Bell;
  readonly applied: AppliedPosition;
  /** Events of one destination transaction, at most; whole batches all the same. */
  readonly groupEvents: number;
  /** Called between destination transactions when the applied position has moved. */
  readonly onAdvance: (applied: AppliedPosition) => Promise<void>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const GROUP_BYTES = 8 * 1024 * 1024;
/** Of a large transaction, what is applied at once; whole batches all the same. */
const PART_EVENTS = 20_000;
const PART_BYTES = 4 * 1024 * 1024;

/** The front of the feed, taken for a destination transaction. */
interface Front {
  readonly group: Group | null;
  /** What follows commits at or above the LSN that control asked to stop at. */
  readonly blocked: boolean;
  /** null: it is prepared as it is applied. */
  readonly prepared: PreparedPart | null;
}

/**
 * Applies the stream, as much at a time as is there, and obeys control's requests between destination transactions.
 * While the destination works on one group, the next one is made ready.
 * Returns when the signal fires or when `finish` is reached.
 */
export async function applyStream(options: StreamOptions): Promise<'drained' | 'finished'> {
  const { feed, bell, requests, signal, onAdvance } = options;
  const ring = () => bell.ring();
  signal.addEventListener('abort', ring);
  let { applied } = options;
  let ahead: Ahead | null = null;
  try {
    while (!signal.aborted) {
      const request = requests.current;
      if (ahead && request) feed.putBack(ahead.items);
      const front: Front = ahead && !request ? ahead : await take(options, applied, request);
      ahead = null;
      const { group, blocked } = front;
      if (group) {
        const applying = apply(options, applied, { ...front, group });
        applying.catch(() => undefined);
        if (!request) ahead = await takeAhead(options, group.next);
        await applying;
        applied = group.next;
        await onAdvance(applied);
      } else {
        if (request && isReached(request, applied, blocked)) {
          if (!request.reached) await reach(options, request, applied);
          if (request.kind === 'finish') return 'finished';
        }
        await bell.wait();
      }
    }
    return 'drained';
  } finally {
    signal.removeEventListener('abort', ring);
  }
}

async function take(options: StreamOptions, applied: AppliedPosition, request: Request | null): Promise<Front> {
  const { feed, groupEvents } = options;
  const queue = takeFrom(feed, applied);
  if (request?.kind === 'hold') {
    feed.putBack(queue);
    return { group: null, blocked: true, prepared: null };
  }
  const before = request?.lsn ?? null;
  const { group, rest, blocked } = takeGroup(queue, applied, { before, events: groupEvents, bytes: GROUP_BYTES });
  feed.putBack(rest);
  return { group, blocked, prepared: await preparedOf(options, group) };
}

interface Ahead extends Front {
  /** To be put back when it is not to be applied, after all. */
  readonly items: readonly FeedItem[];
}

/** null: nothing is there, or it cannot be had; that will be found again when it is its turn. */
async function takeAhead(options: StreamOptions, applied: AppliedPosition): Promise<Ahead | null> {
  const { feed, groupEvents } = options;
  const queue = feed.peek();
  const { group, rest } = takeGroup(queue, applied, { before: null, events: groupEvents, bytes: GROUP_BYTES });
  if (!group) return null;
  feed.take();
  feed.putBack(rest);
  const items = queue.slice(0, queue.length - rest.length);
  return { group, blocked: false, prepared: await preparedOf(options, group), items };
}

/** An error comes again when the group is applied, where it can be told with its place. */
async function preparedOf({ context }: StreamOptions, group: Group | null): Promise<PreparedPart | null> {
  if (!context.fold || group?.kind !== 'events') return null;
  return await prepare(context, group.events).catch(() => null);
}

/** What cannot be read is told with what was applied before it. */
function takeFrom(feed: Feed, { position, lsn }: AppliedPosition): readonly FeedItem[] {
  try {
    return feed.take();
  } catch (error) {
    if (!isSluiceError(error) || error.retry !== 'stop') throw error;
    const { code, message, context, cause, remedy } = error;
    const applied = `applied was up to position ${position}, LSN ${formatLsn(lsn)}`;
    throw new SluiceError(code, `${message}; ${applied}`, { context, cause, remedy });
  }
}

function isReached(request: Request, applied: AppliedPosition, blocked: boolean): boolean {
  return request.kind === 'hold' || blocked || applied.lsn >= request.lsn;
}

async function reach(options: StreamOptions, request: Request, applied: AppliedPosition): Promise<void> {
  const { control, destination, log } = options;
  const lsn = request.lsn ?? applied.lsn;
  try {
    await writeReached(control, destination.identity, { request, lsn });
  } catch (error) {
    throw destinationFailure(error, destination);
  }
  log.info({ request: request.kind, lsn: formatLsn(lsn) }, 'request reached');
}

interface ToApply extends Front {
  readonly group: Group;
}

async function apply(options: StreamOptions, applied: AppliedPosition, { group, prepared }: ToApply): Promise<void> {
  const { context, reader, log, signal } = options;
  try {
    const done = await applyWork(context, applied, { ...workOf(options, group), prepared });
    if (done.changeByChange && context.fold) log.info({ position: group.next.position }, 'applied change by change');
    const { batch, position, lsn } = group.next;
    log.debug({ batch, position, lsn: formatLsn(lsn), events: done.events }, 'applied');
  } catch (error) {
    throw await withOffset(error, { reader, batches: group.batches, signal });
  }
}

function workOf(options: StreamOptions, group: Group): Omit<Work, 'prepared'> {
  const { next, transactions } = group;
  if (group.kind === 'large') {
    return { next, transactions, large: true, parts: () => readParts(options, group.batches) };
  }
  return { next, transactions, large: false, parts: () => once(group.events) };
}

async function* once(events: readonly PackedEvent[]): AsyncGenerator<readonly PackedEvent[]> {
  yield events;
}

/** Some batches at a time, the next ones while those before them are applied. */
async function* readParts(
  { reader, signal }: StreamOptions,
  batches: readonly CountedBatch[],
): AsyncGenerator<readonly PackedEvent[]> {
  const parts = partsOf(batches);
  let ahead = read(0);
  for (let index = 0; index < parts.length; index++) {
    const part = await ahead;
    ahead = read(index + 1);
    ahead.catch(() => undefined);
    yield part.flatMap(({ events }) => events);
  }
  async function read(index: number) {
    const part = parts[index];
    return part ? await reader.read(part, signal) : [];
  }
}

function partsOf(batches: readonly CountedBatch[]): CountedBatch[][] {
  const parts: CountedBatch[][] = [];
  let events = 0;
  let bytes = 0;
  for (const batch of batches) {
    const { first, last, bytes: more } = batch.record;
    const count = Number(last - first) + 1;
    const part = parts.at(-1);
    if (part && events + count <= PART_EVENTS && bytes + more <= PART_BYTES) part.push(batch);
    else parts.push([batch]);
    if (parts.at(-1) !== part) [events, bytes] = [0, 0];
    events += count;
    bytes += more;
  }
  return parts;
}
