import { ExitCode } from '../../../shared/errors.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { writeJson, writeLine } from '../output.ts';
import { runPrechecks } from '../prechecks/run-prechecks.ts';
import { HeldService } from '../processes/service-process.ts';
import { openTask } from './task-context.ts';

/** Exit code 4 when a finding is an error. */
export async function precheck(options: TaskArguments): Promise<number> {
  const { task, childArguments } = await openTask(options, false);
  using capture = new HeldService('capture', childArguments);
  const report = await runPrechecks({ task, capture });
  const failed = report.findings.some(({ severity }) => severity === 'error');
  if (options.json === true) {
    writeJson({ task: task.name, ok: !failed, findings: report.findings, checks: report.ran });
  } else {
    for (const { severity, code, message, remedy } of report.findings) {
      writeLine(`${severity} ${code}: ${message}\n  remedy: ${remedy}`);
    }
    writeLine(`${report.ran.length} checks, ${report.findings.length} findings${failed ? '' : ': the task can start'}`);
  }
  return failed ? ExitCode.findings : ExitCode.ok;
}
