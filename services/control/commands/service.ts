import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { becomeService, type ServiceName } from '../processes/service-process.ts';
import { openTask } from './task-context.ts';

/** Runs one service alone, in this very process. */
export async function runAlone(service: ServiceName, options: TaskArguments): Promise<never> {
  const { childArguments } = await openTask(options, false);
  return becomeService(service, options.takeOver === true ? [...childArguments, '--take-over'] : childArguments);
}
