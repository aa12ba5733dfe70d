import type pg from 'pg';
import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
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
import { type ApplyContext, applyWork, type Work } from './destination-transaction.ts';
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

const GROUP_BYTES = 16 * 1024 * 1024;

/**
 * Applies the stream, as much at a time as is there, and obeys control's requests between destination transactions.
 * Returns when the signal fires or when `finish` is reached.
 */
export async function applyStream(options: StreamOptions): Promise<'drained' | 'finished'> {
  const { feed, bell, requests, signal, onAdvance } = options;
  const ring = () => bell.ring();
  signal.addEventListener('abort', ring);
  let { applied } = options;
  try {
    while (!signal.aborted) {
      const request = requests.current;
      const { group, rest, blocked } = taken(options, applied, request);
      feed.putBack(rest);
      if (group) {
        await apply(options, applied, group);
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

function taken({ feed, groupEvents }: StreamOptions, applied: AppliedPosition, request: Request | null) {
  const queue = takeFrom(feed, applied);
  if (request?.kind === 'hold') return { group: null, rest: queue, blocked: true };
  const before = request?.lsn ?? null;
  return takeGroup(queue, applied, { before, events: groupEvents, bytes: GROUP_BYTES });
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

async function apply(options: StreamOptions, applied: AppliedPosition, group: Group): Promise<void> {
  const { context, reader, log, signal } = options;
  try {
    const done = await applyWork(context, applied, workOf(options, group));
    if (done.changeByChange && context.fold) log.info({ position: group.next.position }, 'applied change by change');
    const { batch, position, lsn } = group.next;
    log.debug({ batch, position, lsn: formatLsn(lsn), events: done.events }, 'applied');
  } catch (error) {
    throw await withOffset(error, { reader, batches: group.batches, signal });
  }
}

function workOf(options: StreamOptions, group: Group): Work {
  const { next, transactions } = group;
  if (group.kind === 'large') {
    return { next, transactions, large: true, parts: () => readParts(options, group.batches) };
  }
  return { next, transactions, large: false, parts: () => once(group.events) };
}

async function* once(events: readonly ChangeEvent[]): AsyncGenerator<readonly ChangeEvent[]> {
  yield events;
}

/** Each part while the one before it is applied. */
async function* readParts(
  { reader, signal }: StreamOptions,
  parts: readonly CountedBatch[],
): AsyncGenerator<readonly ChangeEvent[]> {
  let ahead = read(0);
  for (let index = 0; index < parts.length; index++) {
    const [part] = await ahead;
    ahead = read(index + 1);
    ahead.catch(() => undefined);
    yield part!.events;
  }
  async function read(index: number) {
    const part = parts[index];
    return part ? await reader.read([part], signal) : [];
  }
}
