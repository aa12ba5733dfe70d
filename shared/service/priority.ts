import { constants, setPriority } from 'node:os';
import type { Task } from '../task/task.ts';

/**
 * A task without a stream gives way to those that have one on the same machine: nobody waits for each single row of it.
 * Where the system does not allow that, it runs like all others.
 */
export function giveWay({ types }: Pick<Task, 'types'>): void {
  if (types.has('incremental')) return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Only its neighbours notice.
  }
}
