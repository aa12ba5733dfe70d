import { runService } from '../../shared/service/run.ts';
import { parseTaskArguments } from '../../shared/task/arguments.ts';
import { runCaptureService } from './run-capture.ts';

await runService(async (signal) => {
  const { task, flags } = await parseTaskArguments(process.argv.slice(2), ['take-over']);
  await runCaptureService(task, { takeOver: flags.has('take-over') }, signal);
});
