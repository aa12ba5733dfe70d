import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { readTableSelection, type SelectedTable } from '../../../shared/task/selected-tables.ts';
import type { Task } from '../../../shared/task/task.ts';

/**
 * The tables that the task carries, in order of names, as the client's snapshot sees them.
 * @throws SluiceError CONFIG_INVALID when there is none.
 */
export async function readSelection(client: pg.ClientBase, task: Task): Promise<readonly SelectedTable[]> {
  const { tables, leftOut } = await readTableSelection(client, task.selection);
  if (tables.length > 0) return tables;
  const others = leftOut.map(({ schema, name, reason }) => `${schema}.${name} (${reason})`).join(', ');
  const detail = others === '' ? '' : `; these are not carried: ${others}`;
  throw new SluiceError('CONFIG_INVALID', `the task selects no table of the source${detail}`);
}
