import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkoutDir } from '../../../deploy/local/paths.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type SluiceProcess, sluice, startProcess } from '../../support/processes.ts';
import type { BenchServers } from '../servers.ts';

export interface SluiceTaskOptions {
  readonly servers: BenchServers;
  readonly source: TestDatabase;
  readonly destination: TestDatabase;
  readonly name: string;
  /** Further options of the task. */
  readonly args?: readonly string[];
}

type Command = 'capture' | 'sink' | 'migrate' | 'status' | 'release';

export interface StartOptions {
  readonly more?: readonly string[];
  readonly profileDir?: string | undefined;
}

const PATIENCE_MS = 1_800_000;
const DRAIN_MS = 180_000;
const env = { SLUICE_LOG: 'warn' };

/** One task of Sluice at its defaults, run by the command line as users run it. */
export class SluiceTask {
  readonly name: string;
  readonly slot: string;
  readonly #options: SluiceTaskOptions;
  readonly #arguments: readonly string[];

  constructor(options: SluiceTaskOptions) {
    const { servers, source, destination, name, args = [] } = options;
    this.#options = options;
    this.name = name;
    this.slot = `sluice_${name.replaceAll('-', '_')}`;
    const ends = ['--name', name, '--source', source.url, '--destination', destination.url];
    this.#arguments = [...ends, '--brokers', servers.brokers, '--registry', servers.registry, ...args];
  }

  get destination(): TestDatabase {
    return this.#options.destination;
  }

  /** `profileDir`: it writes profiles into a directory there, named after the command, when it ends. */
  start(command: Command, { more = [], profileDir }: StartOptions = {}): SluiceProcess {
    const args = [command, ...this.#arguments, ...more];
    const profile = ['--cpu-prof', `--cpu-prof-dir=${join(profileDir ?? '', command)}`];
    const started = profileDir
      ? startProcess(process.execPath, [...profile, join(checkoutDir, 'bin', 'sluice.js'), ...args], { env })
      : sluice(args, { env });
    this.#options.servers.endWithRun(started);
    return started;
  }

  /** Schema, rows and all that was committed so far; nothing runs afterwards. */
  async migrate(): Promise<void> {
    await this.run('migrate', ['--until', 'caught-up']);
  }

  async run(command: Command, more: readonly string[] = []): Promise<SluiceProcess> {
    await using ran = this.start(command, { more });
    const { code } = await ran.exit(PATIENCE_MS);
    if (code !== 0) throw new Error(`sluice ${command} ended with ${code}:\n${ran.output}`);
    return ran;
  }

  /** Slot, publication and topics go. */
  async release(): Promise<void> {
    await this.run('release', ['--topics', '--bookkeeping']);
  }
}

/** As SIGTERM does: what is under way is brought to an end first. */
export async function drained(...services: readonly SluiceProcess[]): Promise<void> {
  for (const service of services) service.signal('SIGTERM');
  for (const service of services) await service.exit(DRAIN_MS);
}

/** Waits for the condition, looking every `intervalMs`; fails at once when one of the processes ends. */
export async function untilTrue(
  condition: () => Promise<boolean>,
  { running = [], intervalMs = 10 }: { readonly running?: readonly SluiceProcess[]; readonly intervalMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    const ended = running.find((process) => !process.running);
    if (ended) throw new Error(`a process ended:\n${ended.output}`);
    if (performance.now() > deadline) throw new Error('what was waited for did not come within half an hour');
    await delay(intervalMs);
  }
}
