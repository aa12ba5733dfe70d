import type pg from 'pg';
import type { Tuple } from '../../../shared/envelope/change-event.ts';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import type { ConflictPolicy } from '../../../shared/task/definition.ts';
import type { ApplyContext } from './destination-transaction.ts';
import { plan, type Step } from './plan.ts';
import { tupleOf } from './row.ts';
import type { RowChange } from './single-change.ts';
import { alterRows, copyRows, deleteRows, insertRows, removeRows, type Statement, updateRows } from './statements.ts';
import type { Target } from './target.ts';
import { emptyTables } from './truncate.ts';
import { writeChange } from './write-change.ts';

/** Set by set the changes do not end, or may not end, in the rows of the sequence: to be applied change by change. */
export class OrderMatters extends Error {}

/** A set-based statement, and how many rows it meets where the destination's rows are the source's; null: any number. */
export interface SetStatement extends Statement {
  readonly meets: number | null;
}

/** What is done in this order: statements that need not wait for each other's answers, or something else, by itself. */
export type Action =
  | { readonly kind: 'statements'; readonly statements: readonly SetStatement[] }
  /** @throws OrderMatters where a change meets other rows than expected */
  | { readonly kind: 'alone'; readonly run: (client: pg.Client) => Promise<void> };

type PlanContext = Pick<ApplyContext, 'targets' | 'conflicts'>;

/** Nothing of it depends on what the destination holds, so it may be prepared before it is its turn. */
export function prepareSets(context: PlanContext, events: readonly PackedEvent[]): Action[] {
  const actions: Action[] = [];
  let together: SetStatement[] = [];
  for (const step of plan(events, context.targets)) {
    const action = actionOf(context, step);
    if (action.kind === 'statements') together.push(...action.statements);
    else {
      if (together.length > 0) actions.push({ kind: 'statements', statements: together });
      together = [];
      actions.push(action);
    }
  }
  if (together.length > 0) actions.push({ kind: 'statements', statements: together });
  return actions;
}

function actionOf({ targets, conflicts: policy }: PlanContext, step: Step): Action {
  switch (step.kind) {
    case 'truncate':
      return alone((client) => emptyTables(client, step.tables, step.restartIdentity));
    case 'single':
      return alone((client) => single({ client, policy }, step.target, step.change));
    case 'insert': {
      const { target, rows } = step;
      const statement = targets.mayInsertMeet(target)
        ? insertRows(target, rows, policy)
        : (copyRows(target, rows) ?? insertRows(target, rows, 'none meets'));
      return all(policy, step, statement, (row) => asInsert(tupleOf(row)));
    }
    case 'update':
      return all(policy, step, updateRows(step.target, step.set, step.rows), (row) => asUpdate(tupleOf(row)));
    case 'delete':
      return all(policy, step, deleteRows(step.target, step.rows), (row) => asDelete(tupleOf(row)));
    case 'sweep':
      return sweep(policy, deleteRows(step.target, step.rows));
    case 'remove':
      return all(policy, step, removeRows(step.target, step.rows), null);
    case 'alter':
      return all(policy, step, alterRows(step.target, step.rows), null);
  }
}

const asInsert = (after: Tuple): RowChange => ({ op: 'c', before: null, after });
const asUpdate = (after: Tuple): RowChange => ({ op: 'u', before: null, after });
const asDelete = (before: Tuple): RowChange => ({ op: 'd', before, after: null, moved: false });

const alone = (run: (client: pg.Client) => Promise<void>): Action => ({ kind: 'alone', run });
const set = (statement: Statement, meets: number | null): Action => ({
  kind: 'statements',
  statements: [{ ...statement, meets }],
});

/** The statement meets each row once. Without one, where no set-based form carries the rows, a change for each. */
function all<Row>(
  policy: ConflictPolicy,
  { target, rows }: { readonly target: Target; readonly rows: readonly Row[] },
  statement: Statement | null,
  change: ((row: Row) => RowChange) | null,
): Action {
  if (statement) return set(statement, rows.length);
  return alone(async (client) => {
    if (!change) throw new OrderMatters();
    for (const row of rows) await single({ client, policy }, target, change(row));
  });
}

/** What came and went within the run, and was there before all the same: of somebody else. */
function sweep(policy: ConflictPolicy, statement: Statement | null): Action {
  if (statement) return set(statement, policy === 'overwrite' ? null : 0);
  return alone(() => Promise.reject(new OrderMatters()));
}

interface SingleContext {
  readonly client: pg.Client;
  readonly policy: ConflictPolicy;
}

async function single({ client, policy }: SingleContext, target: Target, change: RowChange): Promise<void> {
  const onConflict = () => {
    throw new OrderMatters();
  };
  await writeChange({ client, policy, onConflict }, target, change);
}
