import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { SchemaOptions } from '../../../shared/task/task.ts';

/** A role of the source as the destination knows it; null is PUBLIC. */
export function roleName(role: string | null, { roleMap }: SchemaOptions): string {
  if (role === null) return 'PUBLIC';
  return quoteIdentifier(Object.hasOwn(roleMap, role) ? (roleMap[role] ?? role) : role);
}
