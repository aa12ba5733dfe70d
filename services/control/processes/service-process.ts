import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkoutDir } from '../../../deploy/local/paths.ts';
import { type BeginMessage, HELD_VARIABLE, PARENT_VARIABLE } from '../../../shared/service/run.ts';

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

/** A service whose process is loaded and waits: it begins when it is told, and ends when it is let go. */
export class HeldService {
  readonly #child: ChildProcess;
  #begun = false;

  constructor(service: ServiceName, argv: readonly string[]) {
    this.#child = spawnService(service, argv, { ...serviceEnvironment(), [HELD_VARIABLE]: '1' });
  }

  /** Its process, once; null where it has ended, or was given before. */
  begin(): ChildProcess | null {
    const { exitCode, signalCode, connected } = this.#child;
    if (this.#begun || exitCode !== null || signalCode !== null || !connected) return null;
    this.#begun = true;
    const message: BeginMessage = { kind: 'begin' };
    // Of a process that ends in this moment the end is what is seen.
    this.#child.send(message, () => undefined);
    return this.#child;
  }

  [Symbol.dispose](): void {
    if (!this.#begun && this.#child.connected) this.#child.disconnect();
  }
}

/** Of a child that we watch. */
export function serviceEnvironment(): Readonly<Record<string, string>> {
  return { SLUICE_LOG: process.env.SLUICE_LOG ?? 'warn', SLUICE_LOG_FORMAT: 'json', [PARENT_VARIABLE]: '1' };
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
