import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
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
  events: readonly PackedEvent[],
  conflicts: Conflicts,
): Promise<void> {
  for (const packed of events) {
    const event = packed.unpack();
    try {
      if (event.op === 't') {
        const { tables, restartIdentity } = targets.truncated(packed);
        if (tables.length > 0) await emptyTables(client, tables, restartIdentity);
      } else {
        const target = targets.target(packed);
        await writeChange({ client, policy, onConflict: (kind) => conflicts.meet(kind, event) }, target, event);
      }
    } catch (error) {
      throw isOfTheData(error) ? refused(error, event) : error;
    }
  }
}
