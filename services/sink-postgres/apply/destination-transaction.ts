import type pg from 'pg';
import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { Logger } from '../../../shared/service/logger.ts';
import { type AppliedPosition, lockPosition, writePosition } from '../bookkeeping/position.ts';
import { type Destination, destinationFailure } from '../bookkeeping/session.ts';
import { plan, type Step } from './plan.ts';
import { type RowChange, singleChange } from './single-change.ts';
import { deleteRows, insertRows, removeRows, type Statement, updateRows } from './statements.ts';
import { type TableTargets, TruncatesSeen } from './table-targets.ts';
import type { Target } from './target.ts';
import { emptyTables } from './truncate.ts';

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
  readonly log: Logger;
}

/**
 * Applies the work in one destination transaction:
 *
 *   BEGIN · lock the applied position, as believed · set-based statements · advance the position · COMMIT
 *
 * A set-based statement can fail where the sequence would not (a swap of unique values), so an error of the data is
 * no error yet: the same work is applied change by change, in order, and only what fails there is refused. So it is
 * when a row of a table without a key is not there.
 * After an error the session is in no transaction, or broken.
 * @throws SluiceError DESTINATION_POSITION_MOVED, DESTINATION_ROW_REFUSED, DESTINATION_TABLE_MISSING, POSTGRES_*
 */
export async function applyWork(context: ApplyContext, believed: AppliedPosition, work: Work): Promise<Applied> {
  try {
    return await inTransaction(context, { believed, work, changeByChange: false });
  } catch (error) {
    await rollback(context);
    if (!isOfTheData(error) && !(error instanceof OrderMatters)) throw classed(error, context);
  }
  try {
    return await inTransaction(context, { believed, work, changeByChange: true });
  } catch (error) {
    await rollback(context);
    throw isOfTheData(error) ? refusedAtCommit(error, work) : classed(error, context);
  }
}

/** Folded changes would not end in the same rows: to be applied change by change. */
class OrderMatters extends Error {}

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
  let conflicts = 0;
  const seen = new TruncatesSeen();
  for await (const part of work.parts()) {
    const relevant = await targets.relevant(part, seen);
    events += relevant.length;
    conflicts += changeByChange ? await applySingly(context, relevant) : await applySets(context, relevant);
    if (work.large) failpoint('sink.in-open-transaction');
  }
  const counts = { events, conflicts, transactions: work.transactions };
  await writePosition(client, destination.identity, { position: work.next, counts });
  failpoint('sink.before-commit');
  await client.query('COMMIT');
  failpoint('sink.after-commit');
  return { events, conflicts, changeByChange };
}

async function applySets(context: ApplyContext, events: readonly ChangeEvent[]): Promise<number> {
  let conflicts = 0;
  for (const step of plan(events, context.targets)) conflicts += await applyStep(context, step);
  return conflicts;
}

async function applyStep(context: ApplyContext, step: Step): Promise<number> {
  switch (step.kind) {
    case 'truncate':
      await emptyTables(context.client, step.tables, step.restartIdentity);
      return 0;
    case 'single':
      return await applyChange(context, step.target, step.change);
    case 'remove': {
      const statement = removeRows(step.target, step.rows);
      if (!statement || (await run(context, statement)) !== step.rows.length) throw new OrderMatters();
      return 0;
    }
    case 'insert': {
      const statement = insertRows(step.target, step.rows);
      if (statement) await run(context, statement);
      else for (const after of step.rows) await applyChange(context, step.target, { op: 'c', before: null, after });
      return 0;
    }
    case 'update': {
      const statement = updateRows(step.target, step.set, step.rows);
      if (statement) return missed(context, step.target, step.rows.length - (await run(context, statement)));
      let conflicts = 0;
      for (const after of step.rows) {
        conflicts += await applyChange(context, step.target, { op: 'u', before: null, after });
      }
      return conflicts;
    }
    case 'delete': {
      const statement = deleteRows(step.target, step.rows);
      if (statement) return missed(context, step.target, step.expected - (await run(context, statement)));
      // Only key columns are given, and a key column is never left out of a row literal for being an array.
      for (const before of step.rows) {
        await applyChange(context, step.target, { op: 'd', before, after: null, moved: false });
      }
      return 0;
    }
  }
}

async function applySingly(context: ApplyContext, events: readonly ChangeEvent[]): Promise<number> {
  let conflicts = 0;
  for (const event of events) {
    try {
      if (event.op === 't') {
        const tables = context.targets.truncated(event);
        if (tables.length > 0) await emptyTables(context.client, tables, event.truncate.restartIdentity);
      } else conflicts += await applyChange(context, context.targets.target(event), event);
    } catch (error) {
      throw isOfTheData(error) ? refused(error, event) : error;
    }
  }
  return conflicts;
}

/** How many rows the change should have met and did not: 0 or 1. */
async function applyChange(context: ApplyContext, target: Target, change: RowChange): Promise<number> {
  const statement = singleChange(target, change);
  if (!statement) return 0;
  const rows = await run(context, statement);
  return change.op === 'c' ? 0 : missed(context, target, 1 - rows);
}

const warned = new WeakSet<Target>();

function missed({ log }: ApplyContext, target: Target, count: number): number {
  if (count <= 0) return 0;
  if (!warned.has(target)) {
    warned.add(target);
    log.warn({ table: quoteTable(target.table), count }, 'an update or delete met no row at the destination');
  }
  return count;
}

/** Rows affected. */
async function run({ client }: ApplyContext, { text, values }: Statement): Promise<number> {
  const { rowCount } = await client.query({ name: statementName(text), text, values: values as (string | null)[] });
  return rowCount ?? 0;
}

/** Names of prepared statements by their text, the same in all sessions: the driver keeps which of them a session knows. */
const names = new Map<string, string>();

function statementName(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `sluice-${names.size}`;
  names.set(text, name);
  return name;
}

async function rollback({ client }: ApplyContext): Promise<void> {
  await client.query('ROLLBACK').catch(() => undefined);
}

/** Classes data exception and integrity violation, and a row that ON CONFLICT would touch twice. */
function isOfTheData(error: unknown): boolean {
  if (isSluiceError(error)) return false;
  const state = sqlstate(error);
  return state !== undefined && (state.startsWith('22') || state.startsWith('23') || state === '21000');
}

/** Undefined table and undefined column. */
const missingStates = new Set(['42P01', '42703']);

function classed(error: unknown, { destination }: ApplyContext): SluiceError {
  const state = sqlstate(error);
  if (!isSluiceError(error) && state !== undefined && missingStates.has(state)) {
    return new SluiceError('DESTINATION_TABLE_MISSING', (error as Error).message, { cause: error });
  }
  return destinationFailure(error, destination);
}

function refused(error: unknown, event: ChangeEvent): SluiceError {
  const { shape, transaction, position } = event;
  const table = quoteTable(shape);
  const commitLsn = formatLsn(transaction.commitLsn);
  const key = keyOf(event);
  const message = (error as Error).message;
  return new SluiceError(
    'DESTINATION_ROW_REFUSED',
    `${table}${key}, position ${position}, commit LSN ${commitLsn}: ${message}`,
    { context: { table, position, commitLsn, sqlstate: sqlstate(error) }, cause: error },
  );
}

function keyOf(event: ChangeEvent): string {
  const row = event.after ?? event.before;
  const parts = event.shape.columns.flatMap(({ name, key }, index) => {
    const value = row?.[index];
    return key && (typeof value === 'string' || value === null) ? [`${name}=${value}`] : [];
  });
  return parts.length > 0 ? ` key ${parts.join(', ')}` : '';
}

function refusedAtCommit(error: unknown, { next }: Work): SluiceError {
  return new SluiceError(
    'DESTINATION_ROW_REFUSED',
    `at the commit of position ${next.position}, commit LSN ${formatLsn(next.lsn)}: ${(error as Error).message}`,
    { context: { position: next.position, sqlstate: sqlstate(error) }, cause: error },
  );
}
