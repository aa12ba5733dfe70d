import type pg from 'pg';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { Logger } from '../../../shared/service/logger.ts';
import type { ConflictPolicy } from '../../../shared/task/definition.ts';
import { type AppliedPosition, checkLocked, lockPosition, writePosition } from '../bookkeeping/position.ts';
import type { Destination } from '../bookkeeping/session.ts';
import { type Action, OrderMatters, prepareSets, type SetStatement } from './apply-sets.ts';
import { applySingly } from './apply-singly.ts';
import { Conflicts } from './conflict.ts';
import { classed, isOfTheData, refusedAtCommit } from './refusal.ts';
import { type Answer, runTogether } from './run-together.ts';
import type { Statement } from './statements.ts';
import { type TableTargets, TruncatesSeen } from './table-targets.ts';

/** Whole source transactions, and where the applied position stands after them. */
export interface Work {
  /** The events in order of position, part by part; asked for again when they are applied change by change. */
  readonly parts: () => AsyncIterable<readonly PackedEvent[]>;
  /** The same as statements; null: to be prepared as they come. */
  readonly prepared: PreparedPart | null;
  readonly next: AppliedPosition;
  readonly transactions: number;
  /** The parts of one large transaction. */
  readonly large: boolean;
}

export interface PreparedPart {
  readonly actions: readonly Action[];
  /** Events that concern the sink. */
  readonly events: number;
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
 *   BEGIN · lock the applied position, as believed · set-based statements | advance the position · COMMIT
 *
 * What stands on one side of the bar is sent at once; what is behind it, when every answer was the expected one.
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
      noteMet(context, error);
    }
  }
  try {
    return await inTransaction(context, { believed, work, changeByChange: true });
  } catch (error) {
    await rollback(context);
    throw isOfTheData(error) ? refusedAtCommit(error, work.next) : classed(error, context.destination);
  }
}

/** @throws SluiceError DESTINATION_TABLE_MISSING and others that come before anything is done */
export async function prepare(
  { targets, conflicts }: Pick<ApplyContext, 'targets' | 'conflicts'>,
  part: readonly PackedEvent[],
  seen = new TruncatesSeen(),
): Promise<PreparedPart> {
  const relevant = await targets.relevant(part, seen);
  return { actions: prepareSets({ targets, conflicts }, relevant), events: relevant.length };
}

interface Pass {
  readonly believed: AppliedPosition;
  readonly work: Work;
  readonly changeByChange: boolean;
}

async function inTransaction(context: ApplyContext, pass: Pass): Promise<Applied> {
  const { client, destination } = context;
  const { work, changeByChange } = pass;
  const conflicts = new Conflicts(context.conflicts);
  const events = changeByChange ? await changeByChangeOf(context, pass, conflicts) : await setBySet(context, pass);
  const counts = { events, transactions: work.transactions, conflicts: conflicts.count, lastConflict: conflicts.last };
  failpoint('sink.before-commit');
  const position = writePosition(destination.identity, { position: work.next, counts });
  await runTogether(client, [position, COMMIT]);
  failpoint('sink.after-commit');
  warn(context, conflicts);
  return { events, conflicts: conflicts.count, changeByChange };
}

const BEGIN: Statement = { text: 'BEGIN', values: [] };
const COMMIT: Statement = { text: 'COMMIT', values: [] };

/** How many events that were. */
async function setBySet(context: ApplyContext, pass: Pass): Promise<number> {
  const { client } = context;
  const { work } = pass;
  const parts = work.prepared ? [work.prepared] : oneAhead(preparedParts(context, work));
  const opening = new Opening(context, pass.believed);
  let events = 0;
  for await (const part of parts) {
    events += part.events;
    for (const action of part.actions) {
      if (action.kind === 'statements') await opening.before(action.statements);
      else {
        await opening.before([]);
        await action.run(client);
      }
    }
    if (work.large) failpoint('sink.in-open-transaction');
  }
  await opening.before([]);
  return events;
}

async function changeByChangeOf(context: ApplyContext, pass: Pass, conflicts: Conflicts): Promise<number> {
  await new Opening(context, pass.believed).before([]);
  await context.client.query('SET CONSTRAINTS ALL DEFERRED');
  const seen = new TruncatesSeen();
  let events = 0;
  for await (const part of pass.work.parts()) {
    const relevant = await context.targets.relevant(part, seen);
    events += relevant.length;
    await applySingly(context, relevant, conflicts);
    if (pass.work.large) failpoint('sink.in-open-transaction');
  }
  return events;
}

/** The beginning of a destination transaction, sent with the first statements of it. */
class Opening {
  readonly #context: ApplyContext;
  readonly #believed: AppliedPosition;
  #done = false;

  constructor(context: ApplyContext, believed: AppliedPosition) {
    this.#context = context;
    this.#believed = believed;
  }

  /**
   * Runs the statements, after the opening when it is not done.
   * @throws SluiceError DESTINATION_POSITION_MOVED; OrderMatters where a statement meets other rows than expected
   */
  async before(statements: readonly SetStatement[]): Promise<void> {
    const { client, destination } = this.#context;
    const { identity } = destination;
    if (this.#done) {
      if (statements.length > 0) check(statements, await runTogether(client, statements));
      return;
    }
    this.#done = true;
    const [, locked, ...answers] = await runTogether(client, [BEGIN, lockPosition(identity), ...statements]);
    checkLocked(identity, this.#believed, locked?.row ?? null);
    check(statements, answers);
  }
}

function check(statements: readonly SetStatement[], answers: readonly Answer[]): void {
  for (const [index, { meets }] of statements.entries()) {
    if (meets !== null && answers[index]?.count !== meets) throw new OrderMatters();
  }
}

async function* preparedParts(context: ApplyContext, work: Work): AsyncGenerator<PreparedPart> {
  const seen = new TruncatesSeen();
  for await (const part of work.parts()) yield await prepare(context, part, seen);
}

/** The next one is being made while one is used. */
async function* oneAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  for (;;) {
    const { done, value } = await next;
    if (done) return;
    next = items.next();
    next.catch(() => undefined);
    yield value;
  }
}

const UNIQUE_VIOLATION = '23505';

function noteMet({ targets }: ApplyContext, error: unknown): void {
  if (sqlstate(error) !== UNIQUE_VIOLATION) return;
  const { schema, table } = error as { schema?: string; table?: string };
  if (schema !== undefined && table !== undefined) targets.insertMet({ schema, name: table });
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
