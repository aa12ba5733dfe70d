import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkoutDir } from '../../deploy/local/paths.ts';
import { eventually } from './eventually.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SluiceOptions {
  /** In addition to this process's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A command under test, as a real process that leads a process group of its own. */
export class SluiceProcess implements AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  #exit: Exit | null = null;
  #stdout = '';
  #stderr = '';

  constructor(child: ChildProcess) {
    this.pid = child.pid ?? 0;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // Its own children may hold its output open: that must not hide that it ended.
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    this.exited = new Promise((resolve) => {
      child.once('exit', async (code, signal) => {
        await Promise.race([closed, delay(500)]);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Both, for messages. */
  get output(): string {
    return `${this.#stdout}\n${this.#stderr}`;
  }

  get running(): boolean {
    return this.#exit === null;
  }

  /** The end, with all output read; throws when it does not come in time. */
  async exit(timeoutMs = 60_000): Promise<Exit> {
    await eventually(() => this.#exit !== null, { timeoutMs, what: `the end of process ${this.pid}\n${this.output}` });
    return this.exited;
  }

  /** Waits for the text in what it wrote; throws when it ended without it. */
  async wrote(pattern: RegExp, timeoutMs = 60_000): Promise<RegExpExecArray> {
    const ended = () => new Error(`process ${this.pid} ended without writing ${pattern}:\n${this.output}`);
    const found = await eventually(() => pattern.exec(this.output) ?? (this.#exit ? ended() : false), {
      timeoutMs,
      what: `${pattern} in the output of process ${this.pid}`,
    });
    if (found instanceof Error) throw found;
    return found;
  }

  /** To this process alone. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** To this process and all that it started, also when it ended itself; false: none is left. */
  signalGroup(name: NodeJS.Signals): boolean {
    try {
      process.kill(-this.pid, name);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signalGroup('SIGKILL');
    await this.exited;
  }
}

/** `sluice ARGS...`; `await using`, so that it ends with the test. */
export function sluice(args: readonly string[], options: SluiceOptions = {}): SluiceProcess {
  return startProcess(process.execPath, [join(checkoutDir, 'bin', 'sluice.js'), ...args], options);
}

export function startProcess(command: string, args: readonly string[], options: SluiceOptions = {}): SluiceProcess {
  const env = { ...process.env, ...options.env };
  const cwd = options.cwd ?? checkoutDir;
  return new SluiceProcess(spawn(command, [...args], { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }));
}
