import { readFileSync } from 'node:fs';
import { eventually } from '../eventually.ts';
import { type SluiceProcess, sluice } from '../processes.ts';
import type { Service } from './faults.ts';

/** `sluice migrate` of a run, started again and again with the same arguments. */
export class Migrate implements AsyncDisposable {
  readonly #args: readonly string[];
  readonly #log: (line: string) => void;
  #process: SluiceProcess | null = null;
  /** Killed alone: their services end by themselves, or with the run. */
  readonly #orphaned: SluiceProcess[] = [];
  /** How often it was started. */
  starts = 0;
  /** Services that it said were killed by SIGKILL. */
  #killedBefore = 0;

  constructor(args: readonly string[], log: (line: string) => void) {
    this.#args = args;
    this.#log = log;
  }

  /** Does nothing when it runs. One that ended by itself is a failure, unless something was out of reach at its start. */
  async ensure(env: () => Readonly<Record<string, string>> = () => ({})): Promise<void> {
    this.#check();
    if (this.#process?.running) return;
    await this.#forget();
    this.#process = sluice(['migrate', ...this.#args], { env: { SLUICE_LOG: 'info', ...env() } });
    this.starts++;
  }

  /** @throws what it said, when it ended by itself */
  check(): void {
    this.#check();
    if (this.#process && !this.#process.running) throw new Error(`migrate has ended:\n${this.output}`);
  }

  get output(): string {
    return this.#process?.output.slice(-8_000) ?? '';
  }

  /** How often a service was killed by SIGKILL, as its parent saw it. */
  get killed(): number {
    return this.#killedBefore + killsIn(this.#process?.output ?? '');
  }

  /** Of the group: it and its services; of the parent: it alone. */
  async kill(victim: 'group' | 'parent'): Promise<void> {
    if (!this.#process?.running) return;
    if (victim === 'group') this.#process.signalGroup('SIGKILL');
    else this.#process.signal('SIGKILL');
    const { signal } = await this.#process.exit();
    if (signal !== 'SIGKILL') throw new Error(`migrate ended by ${signal}, not by SIGKILL:\n${this.output}`);
    if (victim === 'group') return await this.#forget();
    this.#orphaned.push(this.#process);
    this.#process = null;
  }

  /** To a service; waits until there is one. */
  async signal(service: Service, name: NodeJS.Signals): Promise<number> {
    const pid = await eventually(() => this.#child(service), { what: `a ${service} process` });
    try {
      process.kill(pid, name);
    } catch (error) {
      // A failpoint was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    return pid;
  }

  /** Waits for its end by itself. */
  async exit(timeoutMs: number): Promise<{ code: number | null; signal: NodeJS.Signals | null } | null> {
    return (await this.#process?.exit(timeoutMs)) ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#orphaned) await process[Symbol.asyncDispose]();
    await this.#forget();
  }

  #check(): void {
    if (!this.#process || this.#process.running) return;
    const worked = /data migration|schema migration/.test(this.#process.output);
    if (!worked && /^error \w+_UNREACHABLE: /m.test(this.#process.stderr)) {
      this.#log(`migrate found something out of reach when it started: ${lastLine(this.#process.stderr)}`);
      return;
    }
    throw new Error(`migrate ended by itself:\n${this.output}`);
  }

  async #forget(): Promise<void> {
    this.#killedBefore += killsIn(this.#process?.output ?? '');
    if (this.#process && process.env['SLUICE_SEED']) this.#log(`what migrate said:\n${this.#process.output}`);
    await this.#process?.[Symbol.asyncDispose]();
    this.#process = null;
  }

  #child(service: Service): number | false {
    this.check();
    const pid = this.#process?.pid ?? 0;
    const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean);
    return (
      children.map(Number).find((child) => read(`/proc/${child}/cmdline`).includes(`services/${service}/`)) ?? false
    );
  }
}

function killsIn(output: string): number {
  return output.match(/was killed by SIGKILL/g)?.length ?? 0;
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .find((line) => line.startsWith('error ')) ?? ''
  );
}

/** A process may be gone at any time. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
