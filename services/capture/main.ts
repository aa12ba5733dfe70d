import { giveWay } from '../../shared/service/priority.ts';
import { runService } from '../../shared/service/run.ts';
import { parseTaskArguments } from '../../shared/task/arguments.ts';
import { runCaptureService } from './run-capture.ts';
import { describeSchema } from './schema/describe-schema.ts';

const given = () => parseTaskArguments(process.argv.slice(2), ['take-over']);

await runService(
  async (signal) => {
    const { task, flags } = await given();
    giveWay(task);
    await runCaptureService(task, { takeOver: flags.has('take-over') }, signal);
  },
  async () => describeSchema((await given()).task),
);
