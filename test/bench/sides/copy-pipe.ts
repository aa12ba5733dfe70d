import type { TestDatabase } from '../../support/database.ts';
import { type SluiceProcess, startProcess } from '../../support/processes.ts';
import { untilTrue } from './sluice-task.ts';

export interface PipeJob {
  readonly from: string;
  readonly to: string;
}

/** What the child process is told. */
export interface PipeOrder {
  readonly source: string;
  readonly destination: string;
  readonly jobs: readonly PipeJob[];
  readonly parallel: number;
}

export interface CopyPipeOptions {
  readonly source: TestDatabase;
  readonly destination: TestDatabase;
  readonly tables: readonly string[];
  readonly parallel: number;
}

/** Ranges of a table: several for each connection, so that all end at about the same time. */
const RANGES_PER_CONNECTION = 2;
/** Written by the child when it is connected, and what it waits for then. */
export const READY_LINE = 'ready';
export const GO_SIGNAL = 'SIGUSR2';

/** `COPY ... TO STDOUT | COPY ... FROM STDIN`, tables in ctid ranges, several at a time. */
export class CopyPipe implements AsyncDisposable {
  readonly #child: SluiceProcess;

  private constructor(child: SluiceProcess) {
    this.#child = child;
  }

  /** Starts the process that moves the rows, and connects it: that is no part of what is measured. */
  static async open({ source, destination, tables, parallel }: CopyPipeOptions): Promise<CopyPipe> {
    const jobs: PipeJob[] = [];
    for (const table of tables) jobs.push(...(await rangesOf(source, table, parallel * RANGES_PER_CONNECTION)));
    const order: PipeOrder = { source: source.url, destination: destination.url, jobs, parallel };
    const script = new URL('./copy-pipe-process.ts', import.meta.url).pathname;
    const env = { BENCH_ORDER: JSON.stringify(order) };
    const child = startProcess(process.execPath, ['--import', 'tsx', script], { env });
    await child.wrote(new RegExp(READY_LINE));
    return new CopyPipe(child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Until all rows are committed. */
  async run(): Promise<void> {
    this.#child.signal(GO_SIGNAL);
    await untilTrue(async () => !this.#child.running);
    const { code } = await this.#child.exited;
    if (code !== 0) throw new Error(`the pipe ended with ${code}:\n${this.#child.output}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

async function rangesOf(source: TestDatabase, table: string, parts: number): Promise<PipeJob[]> {
  const pages = Number(await source.value(`SELECT pg_relation_size('${table}') / 8192`));
  const step = Math.max(1, Math.ceil(pages / parts));
  const jobs: PipeJob[] = [];
  for (let first = 0; first < pages; first += step) {
    const range = `ctid >= '(${first},0)' AND ctid < '(${first + step},0)'`;
    jobs.push({ from: `COPY (SELECT * FROM ${table} WHERE ${range}) TO STDOUT`, to: `COPY ${table} FROM STDIN` });
  }
  return jobs;
}
