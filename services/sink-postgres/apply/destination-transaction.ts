import type pg from 'pg';
import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { Logger } from '../../../shared/service/logger.ts';
import type { ConflictPolicy } from '../../../shared/task/definition.ts';
import { type AppliedPosition, lockPosition, writePosition } from '../bookkeeping/position.ts';
import type { Destination } from '../bookkeeping/session.ts';
import { applySets, OrderMatters } from './apply-sets.ts';
import { applySingly } from './apply-singly.ts';
import { Conflicts } from './conflict.ts';
import { classed, isOfTheData, refusedAtCommit } from './refusal.ts';
import { type TableTargets, TruncatesSeen } from './table-targets.ts';

/** Whole source transactions, and where the applied position stands after them. */
export interface Work {
  /** The events in order of position, part by part; asked for again when they are applied change by change. */
  readonly parts: () => AsyncIterable<readonly ChangeEvent[]>;
  readonly next: AppliedPosition;
  readonly transactions: number;
  /** The parts of one large transaction. */
  readonly large: boolean;
}

export interface Applied {
  readonly events: number;
  readonly conflicts: number;
  readonly changeByChange: boolean;
}

export interface ApplyContext {
  readonly client: pg.Client;
  readonly destination: Destination;
  readonly targets: TableTargets;
  readonly conflicts: ConflictPolicy;
  /** False: change by change from the start. */
  readonly fold: boolean;
  readonly log: Logger;
}

/**
 * Applies the work in one destination transaction:
 *
 *   BEGIN · lock the applied position, as believed · set-based statements · advance the position · COMMIT
 *
 * Sets are written on the belief that the destination's rows are the source's. A set-based statement can fail where
 * the sequence would not (a swap of unique values), and it cannot say which of its changes met another row than at the
 * source. So neither an error of the data nor a number of rows that is not the expected one is an answer yet: the same
 * work is applied change by change, in order; what fails there is refused, what conflicts there goes by the policy.
 * After an error the session is in no transaction, or broken.
 * @throws SluiceError DESTINATION_POSITION_MOVED, DESTINATION_ROW_REFUSED, DESTINATION_CONFLICT,
 *   DESTINATION_TABLE_MISSING, POSTGRES_*
 */
export async function applyWork(context: ApplyContext, believed: AppliedPosition, work: Work): Promise<Applied> {
  if (context.fold) {
    try {
      return await inTransaction(context, { believed, work, changeByChange: false });
    } catch (error) {
      await rollback(context);
      if (!isOfTheData(error) && !(error instanceof OrderMatters)) throw classed(error, context.destination);
    }
  }
  try {
    return await inTransaction(context, { believed, work, changeByChange: true });
  } catch (error) {
    await rollback(context);
    throw isOfTheData(error) ? refusedAtCommit(error, work.next) : classed(error, context.destination);
  }
}

interface Pass {
  readonly believed: AppliedPosition;
  readonly work: Work;
  readonly changeByChange: boolean;
}

async function inTransaction(context: ApplyContext, { believed, work, changeByChange }: Pass): Promise<Applied> {
  const { client, destination, targets } = context;
  await client.query('BEGIN');
  await lockPosition(client, destination.identity, believed);
  if (changeByChange) await client.query('SET CONSTRAINTS ALL DEFERRED');
  let events = 0;
  const conflicts = new Conflicts(context.conflicts);
  const seen = new TruncatesSeen();
  for await (const part of work.parts()) {
    const relevant = await targets.relevant(part, seen);
    events += relevant.length;
    if (changeByChange) await applySingly(context, relevant, conflicts);
    else await applySets(context, relevant);
    if (work.large) failpoint('sink.in-open-transaction');
  }
  const counts = { events, transactions: work.transactions, conflicts: conflicts.count, lastConflict: conflicts.last };
  await writePosition(client, destination.identity, { position: work.next, counts });
  failpoint('sink.before-commit');
  await client.query('COMMIT');
  failpoint('sink.after-commit');
  warn(context, conflicts);
  return { events, conflicts: conflicts.count, changeByChange };
}

/** Once for each destination transaction; values of rows are not for the log. */
function warn({ log, conflicts: policy }: ApplyContext, { count, last }: Conflicts): void {
  if (!last) return;
  const { kind, position, commitLsn } = last;
  const table = quoteTable({ schema: last.schema, name: last.table });
  log.warn({ table, position, commitLsn, kind, count, policy }, 'changes met other rows than at the source');
}

async function rollback({ client }: ApplyContext): Promise<void> {
  await client.query('ROLLBACK').catch(() => undefined);
}
