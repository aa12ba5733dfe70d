import type { TestDatabase } from '../../support/database.ts';
import { startProcess } from '../../support/processes.ts';
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
  /** Statements for when all rows are there; run side by side. */
  readonly afterwards: readonly string[];
  /** Called with the process that moves the rows. */
  readonly onStart: (pid: number) => void;
}

/** Ranges of a table: several for each connection, so that all end at about the same time. */
const RANGES_PER_CONNECTION = 2;

/** `COPY ... TO STDOUT | COPY ... FROM STDIN`, tables in ctid ranges, several at a time, then the indexes. */
export async function copyThroughPipe(options: CopyPipeOptions): Promise<void> {
  const { source, destination, tables, parallel, afterwards, onStart } = options;
  const jobs: PipeJob[] = [];
  for (const table of tables) jobs.push(...(await rangesOf(source, table, parallel * RANGES_PER_CONNECTION)));
  const order: PipeOrder = { source: source.url, destination: destination.url, jobs, parallel };
  const script = new URL('./copy-pipe-process.ts', import.meta.url).pathname;
  await using child = startProcess(process.execPath, ['--import', 'tsx', script], {
    env: { BENCH_ORDER: JSON.stringify(order) },
  });
  onStart(child.pid);
  await untilTrue(async () => !child.running);
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`the pipe ended with ${code}:\n${child.output}`);
  await Promise.all(afterwards.map((sql) => onOwnConnection(destination, sql)));
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

async function onOwnConnection(database: TestDatabase, sql: string): Promise<void> {
  const client = await database.connect();
  await client.query(sql);
  await client.end();
}
