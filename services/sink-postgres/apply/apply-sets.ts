import type { ChangeEvent, Tuple } from '../../../shared/envelope/change-event.ts';
import type { ApplyContext } from './destination-transaction.ts';
import { plan, type Step } from './plan.ts';
import { runStatement } from './run-statement.ts';
import type { RowChange } from './single-change.ts';
import { alterRows, deleteRows, insertRows, removeRows, type Statement, updateRows } from './statements.ts';
import type { Target } from './target.ts';
import { emptyTables } from './truncate.ts';
import { writeChange } from './write-change.ts';

/** Set by set the changes do not end, or may not end, in the rows of the sequence: to be applied change by change. */
export class OrderMatters extends Error {}

/** @throws OrderMatters where a set meets other rows than expected; whatever the server says */
export async function applySets(context: ApplyContext, events: readonly ChangeEvent[]): Promise<void> {
  for (const step of plan(events, context.targets)) await applyStep(context, step);
}

async function applyStep(context: ApplyContext, step: Step): Promise<void> {
  const { client, conflicts: policy } = context;
  switch (step.kind) {
    case 'truncate':
      await emptyTables(client, step.tables, step.restartIdentity);
      return;
    case 'single':
      return await single(context, step.target, step.change);
    case 'insert':
      return await all(context, step, insertRows(step.target, step.rows, policy), asInsert);
    case 'update':
      return await all(context, step, updateRows(step.target, step.set, step.rows), asUpdate);
    case 'delete':
      return await all(context, step, deleteRows(step.target, step.rows), asDelete);
    case 'sweep':
      return await sweep(context, deleteRows(step.target, step.rows));
    case 'remove':
      return await all(context, step, removeRows(step.target, step.rows), null);
    case 'alter':
      return await all(context, step, alterRows(step.target, step.rows), null);
  }
}

const asInsert = (after: Tuple): RowChange => ({ op: 'c', before: null, after });
const asUpdate = (after: Tuple): RowChange => ({ op: 'u', before: null, after });
const asDelete = (before: Tuple): RowChange => ({ op: 'd', before, after: null, moved: false });

/** The statement meets each row once. Without one, where no set-based form carries the rows, a change for each. */
async function all<Row>(
  context: ApplyContext,
  { target, rows }: { readonly target: Target; readonly rows: readonly Row[] },
  statement: Statement | null,
  change: ((row: Row) => RowChange) | null,
): Promise<void> {
  if (statement) {
    if ((await runStatement(context.client, statement)) !== rows.length) throw new OrderMatters();
    return;
  }
  if (!change) throw new OrderMatters();
  for (const row of rows) await single(context, target, change(row));
}

/** What came and went within the run, and was there before all the same: of somebody else. */
async function sweep({ client, conflicts: policy }: ApplyContext, statement: Statement | null): Promise<void> {
  const swept = statement ? await runStatement(client, statement) : 1;
  if (swept > 0 && (policy !== 'overwrite' || !statement)) throw new OrderMatters();
}

async function single({ client, conflicts: policy }: ApplyContext, target: Target, change: RowChange): Promise<void> {
  const onConflict = () => {
    throw new OrderMatters();
  };
  await writeChange({ client, policy, onConflict }, target, change);
}
