import type pg from 'pg';
import { type ColumnValue, type Tuple, UNKNOWN } from '../../../shared/envelope/change-event.ts';
import type { ConflictPolicy } from '../../../shared/task/definition.ts';
import type { ConflictKind } from './conflict.ts';
import { runStatement } from './run-statement.ts';
import { deleteOne, findOne, findOther, insertOne, overwriteOne, type RowChange, updateOne } from './single-change.ts';
import type { Statement } from './statements.ts';
import type { Target } from './target.ts';

export interface ChangeContext {
  readonly client: pg.Client;
  readonly policy: ConflictPolicy;
  /** Told of each conflict before anything is done about it; may throw. */
  readonly onConflict: (kind: ConflictKind) => void;
}

/**
 * Writes one change.
 *
 *   conflict                          overwrite                          ignore
 *   insert meets its key              the row is overwritten, no conflict the row is kept
 *   update or delete meets no row     nothing                            nothing
 *   new key's row is there            it is deleted, then the update     nothing
 *   old key's row is not there        the new row is written if whole    nothing
 */
export async function writeChange(context: ChangeContext, target: Target, change: RowChange): Promise<void> {
  switch (change.op) {
    case 'c':
      return await insert(context, target, change.after);
    case 'd':
      if ((await runStatement(context.client, deleteOne(target, change.before))) === 0) context.onConflict('delete');
      return;
    case 'u':
      return await update(context, target, change);
  }
}

async function insert({ client, policy, onConflict }: ChangeContext, target: Target, row: Tuple): Promise<void> {
  if (target.key.length === 0) {
    await runStatement(client, insertOne(target, row, 'plain'));
    return;
  }
  if (policy === 'overwrite') return await overwrite(client, target, row);
  if (target.arbiter) {
    if ((await runStatement(client, insertOne(target, row, 'keep'))) === 0) onConflict('insert');
    return;
  }
  if (await isThere(client, findOne(target, row))) onConflict('insert');
  else await runStatement(client, insertOne(target, row, 'plain'));
}

/** No unique index may stand behind the key that ON CONFLICT could name. */
async function overwrite(client: pg.Client, target: Target, row: Tuple): Promise<void> {
  if (target.arbiter) await runStatement(client, insertOne(target, row, 'overwrite'));
  else if ((await runStatement(client, overwriteOne(target, row))) === 0) {
    await runStatement(client, insertOne(target, row, 'plain'));
  }
}

async function update(
  { client, policy, onConflict }: ChangeContext,
  target: Target,
  { before, after }: Extract<RowChange, { op: 'u' }>,
): Promise<void> {
  const moves = before !== null && target.key.some((index) => differs(before[index], after[index]));
  // A key that may be doubled until the commit is no conflict yet.
  if (moves && target.arbiter && (await isThere(client, findOther(target, after, before)))) {
    onConflict('key');
    if (policy !== 'overwrite') return;
    await runStatement(client, deleteOne(target, after));
  }
  if ((await runStatement(client, updateOne(target, before ?? after, after))) > 0) return;
  onConflict('update');
  if (moves && policy === 'overwrite' && !after.includes(UNKNOWN)) await overwrite(client, target, after);
}

function differs(old: ColumnValue | undefined, now: ColumnValue | undefined): boolean {
  return old !== UNKNOWN && old !== now;
}

async function isThere(client: pg.Client, statement: Statement): Promise<boolean> {
  return (await runStatement(client, statement)) > 0;
}
