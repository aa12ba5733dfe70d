import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { checkoutDir } from '../../../deploy/local/paths.ts';
import { errorCodeOf, SluiceError } from '../../../shared/errors.ts';
import {
  type AnswerMessage,
  type BeginMessage,
  type FailedMessage,
  HELD_VARIABLE,
  PARENT_VARIABLE,
} from '../../../shared/service/run.ts';

export type ServiceName = 'capture' | 'sink-postgres';

/**
 * A service as a child process with an IPC channel: it drains when the channel ends, so also when we are killed.
 * Its log comes on its stderr; a final error comes as a message (shared/service/run.ts).
 */
export function spawnService(
  service: ServiceName,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const { script, isSource } = entryPoint(service);
  const execArgv = isSource ? ['--import', tsxEntry()] : [];
  return spawn(process.execPath, [...execArgv, script, ...argv], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
}

/** A service whose process is loaded and waits: it answers, begins when it is told, and ends when it is let go. */
export class HeldService {
  readonly #service: ServiceName;
  readonly #child: ChildProcess;
  #begun = false;

  constructor(service: ServiceName, argv: readonly string[]) {
    this.#service = service;
    this.#child = spawnService(service, argv, { ...serviceEnvironment(), [HELD_VARIABLE]: '1' });
  }

  /** What it has to say before it begins. @throws SluiceError what it reported */
  async ask(): Promise<unknown> {
    const answer = once(this.#child, 'message') as Promise<[AnswerMessage | FailedMessage]>;
    const end = once(this.#child, 'exit').then(() => null);
    this.#say('ask');
    const [message] = (await Promise.race([answer, end])) ?? [];
    if (message?.kind === 'answer') return message.value;
    if (message) throw failure(message);
    const said = this.#child.stderr ? await text(this.#child.stderr) : '';
    throw new SluiceError('INTERNAL', `${this.#service} ended before it was to begin: ${said}`.trim());
  }

  /** Its process, once; null where it has ended, or was given before. */
  begin(): ChildProcess | null {
    const { exitCode, signalCode, connected } = this.#child;
    if (this.#begun || exitCode !== null || signalCode !== null || !connected) return null;
    this.#begun = true;
    this.#say('begin');
    return this.#child;
  }

  /** Of a process that ends in this moment the end is what is seen. */
  #say(kind: BeginMessage['kind']): void {
    const message: BeginMessage = { kind };
    this.#child.send(message, () => undefined);
  }

  [Symbol.dispose](): void {
    if (!this.#begun && this.#child.connected) this.#child.disconnect();
  }
}

/** What a service reported, as an error of ours. */
export function failure({ code, message, remedy }: FailedMessage): SluiceError {
  return new SluiceError(errorCodeOf(code), message, { remedy });
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
