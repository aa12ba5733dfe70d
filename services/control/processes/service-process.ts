import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkoutDir } from '../../../deploy/local/paths.ts';

export type ServiceName = 'capture' | 'sink-postgres';

/**
 * A service as a child process with an IPC channel: it drains when the channel ends, so also when we are killed.
 * Its log comes on its stderr; a final error comes as a message (shared/service/run.ts).
 */
export function spawnService(
  service: ServiceName,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  stdout: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  const { script, isSource } = entryPoint(service);
  const execArgv = isSource ? ['--import', tsxEntry()] : [];
  return spawn(process.execPath, [...execArgv, script, ...argv], {
    stdio: ['ignore', stdout, 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
}

/** Makes this process the service, as exec would: it ends the process itself. */
export async function becomeService(service: ServiceName, argv: readonly string[]): Promise<never> {
  const { script } = entryPoint(service);
  process.argv = [process.execPath, script, ...argv];
  await import(pathToFileURL(script).href);
  return new Promise<never>(() => undefined);
}

/** From its sources where this is one, else as built. */
function entryPoint(service: ServiceName): { script: string; isSource: boolean } {
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? ['services', service, 'main.ts'] : ['dist', 'bundle', 'services', service, 'main.js'];
  return { script: join(checkoutDir, ...path), isSource };
}

function tsxEntry(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}
