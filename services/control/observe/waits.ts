import type { Task } from '../../../shared/task/task.ts';
import type { Observation } from './task-status.ts';

/** What waits for what, as sentences; the cause that stands first stands first here. */
export function waits(task: Task, seen: Observation): string[] {
  const { manifest: state, source, destination, request } = seen;
  const found: string[] = [];
  if (destination?.sink?.phase === 'cut over') return found;
  if (seen.unavailable.length > 0)
    return seen.unavailable.map(({ what }) => `it is not known what: ${what} cannot be looked at`);
  if (!state?.epoch) return ['capture has not started yet'];
  const streams = task.types.has('incremental');
  if (streams && source?.slot?.active === false) found.push('the stream waits for capture, which does not run');
  if (streams && source && source.slot === null && state.slot) found.push('the slot is gone: changes cannot be read');
  if (streams && state.slot && state.slot.consistentPoint === null) {
    found.push('the slot waits for the transactions that run at the source');
  }
  if (!destination?.sink) found.push('the destination waits for the sink, which has not started yet');
  const unread =
    state.epoch.tables.length - [...state.reads.values()].filter((read) => read.state !== 'reading').length;
  if (task.types.has('full') && unread > 0)
    found.push(`the stream waits for the first read of ${count(unread, 'table')}`);
  const loading = [...(destination?.loads.values() ?? [])].filter((load) => load.state !== 'loaded').length;
  if (loading > 0) found.push(`indexes and the stream wait for ${count(loading, 'table')} to be loaded`);
  if (destination?.sink && !destination.sink.replicaRole && streams) {
    found.push('foreign keys and triggers wait for cutover: the account may not set session_replication_role');
  }
  if (request?.kind === 'hold' || request?.kind === 'run-to') found.push('the sink stands still for a comparison');
  if (request?.kind === 'finish') found.push('the sink ends: the task is being cut over');
  return found;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
