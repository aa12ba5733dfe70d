import { giveWay } from '../../shared/service/priority.ts';
import { runService } from '../../shared/service/run.ts';
import { parseTaskArguments } from '../../shared/task/arguments.ts';
import { runSinkService } from './run-sink.ts';

await runService(async (signal) => {
  const { task } = await parseTaskArguments(process.argv.slice(2));
  giveWay(task);
  await runSinkService(task, signal);
});
