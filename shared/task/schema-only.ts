import { createHash } from 'node:crypto';
import type { Task } from './task.ts';

const LONGEST_NAME = 40;
const SUFFIX = '-schema';

/**
 * A task made into one that migrates the schema and nothing else. Unless the user named it, it gets a name of its own:
 * the task itself can still be started, with all its types or without the schema.
 */
export function schemaOnly(task: Task, named: boolean): Task {
  return Object.freeze({
    ...task,
    name: named ? task.name : schemaTaskName(task.name),
    types: new Set(['schema' as const]),
  });
}

function schemaTaskName(name: string): string {
  if (name.length + SUFFIX.length <= LONGEST_NAME) return `${name}${SUFFIX}`;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.slice(0, LONGEST_NAME - SUFFIX.length - hash.length - 1).replace(/-+$/, '')}-${hash}${SUFFIX}`;
}
