import { SluiceError } from '../../shared/errors.ts';
import { sqlstate } from '../../shared/postgres/failure.ts';
import { suspendActions } from '../../shared/postgres/suspended-actions.ts';
import type { StageContext } from './stages.ts';

/**
 * Before any row: triggers, rules and identity columns that would act on replicated rows are suspended; cutover and
 * release put them back.
 * @throws SluiceError POSTGRES_PERMISSION_DENIED naming the table that the account does not own
 */
export async function suspend({ task, control, destination, history, takes, replicaRole, log }: StageContext) {
  if (!task.types.has('full') && !task.types.has('incremental')) return;
  const tables = (history.state.epoch?.tables ?? []).filter(takes);
  try {
    const actions = await suspendActions(control, destination.identity, { tables, replicaRole });
    for (const { schema, table, kind, name } of actions) {
      log.info({ table: `${schema}.${table}`, kind, name }, 'suspended until cutover');
    }
  } catch (error) {
    if (sqlstate(error) !== '42501') throw error;
    throw new SluiceError('POSTGRES_PERMISSION_DENIED', `triggers and rules stay active: ${(error as Error).message}`, {
      remedy: 'Make the destination account a member of the owning role, or disable them until cutover.',
      cause: error,
    });
  }
}
