import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SluiceError } from '../../shared/errors.ts';
import { type LaunchOptions, type LocalProcess, launch } from './process.ts';

function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  return home ? join(home, 'bin', 'java') : 'java';
}

/** Runs to its end. */
export async function runJava(args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(javaCommand(), [...args]);
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout?: string; stderr?: string };
    const output = `${stdout ?? ''}${stderr ?? ''}`.trim();
    throw new SluiceError('LOCAL_STACK_FAILED', `java failed: ${output || String(cause)}`, { cause });
  }
}

export function launchJava(options: Omit<LaunchOptions, 'command'>): Promise<LocalProcess> {
  return launch({ ...options, command: javaCommand() });
}
