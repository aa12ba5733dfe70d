import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
import type { Conflicts } from './conflict.ts';
import type { ApplyContext } from './destination-transaction.ts';
import { isOfTheData, refused } from './refusal.ts';
import { emptyTables } from './truncate.ts';
import { writeChange } from './write-change.ts';

/**
 * Applies the changes one by one, in order; conflicts go by the policy.
 * @throws SluiceError DESTINATION_ROW_REFUSED, DESTINATION_CONFLICT naming the change
 */
export async function applySingly(
  { client, targets, conflicts: policy }: ApplyContext,
  events: readonly ChangeEvent[],
  conflicts: Conflicts,
): Promise<void> {
  for (const event of events) {
    try {
      if (event.op === 't') {
        const tables = targets.truncated(event);
        if (tables.length > 0) await emptyTables(client, tables, event.truncate.restartIdentity);
      } else {
        const target = targets.target(event);
        await writeChange({ client, policy, onConflict: (kind) => conflicts.meet(kind, event) }, target, event);
      }
    } catch (error) {
      throw isOfTheData(error) ? refused(error, event) : error;
    }
  }
}
