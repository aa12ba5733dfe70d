import { expect } from 'vitest';
import { expectEqualDatabases } from './compare.ts';
import type { TestContext } from './context.ts';
import type { Row, TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import { lsnOf } from './manifest-log.ts';
import { type SluiceProcess, startProcess } from './processes.ts';

export interface ServiceRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly types?: string;
  /** Default: the context's. */
  readonly destination?: TestDatabase;
  /** Of the same database, for another account. */
  readonly destinationUrl?: string;
}

/** A service alone, as a process of its own. */
function start(service: 'capture' | 'sink-postgres', ctx: TestContext, run: ServiceRun): SluiceProcess {
  const { env = {}, args = [], types = 'schema,full,incremental', destination = ctx.destination } = run;
  const { destinationUrl = destination.url } = run;
  const main = ['--import', 'tsx', `services/${service}/main.ts`];
  const task = ['--name', ctx.task, '--source', ctx.source.url, '--destination', destinationUrl, '--types', types];
  const kafka = ['--brokers', ctx.brokers.join(','), '--registry', ctx.registry];
  return startProcess(process.execPath, [...main, ...task, ...kafka, ...args], { env });
}

export const startCapture = (ctx: TestContext, run: ServiceRun = {}) => start('capture', ctx, run);
export const startSink = (ctx: TestContext, run: ServiceRun = {}) => start('sink-postgres', ctx, run);

/** An LSN that covers everything committed at the source before this call. */
export async function fenceAt(ctx: TestContext): Promise<bigint> {
  await ctx.source.query(`SELECT pg_logical_emit_message(true, 'sluice.fence', 'test')`);
  return lsnOf((await ctx.source.value('SELECT pg_current_wal_flush_lsn()')) ?? '0/0');
}

export async function appliedPosition(database: TestDatabase, sink = 'main'): Promise<Row> {
  const [row] = await database.query('SELECT * FROM sluice.position WHERE sink = $1', [sink]);
  if (!row) throw new Error(`sink ${sink} has no position yet`);
  return row;
}

/** Waits until the sink applies the stream; fails at once when one of the processes ends. */
export async function streaming(ctx: TestContext, running: readonly SluiceProcess[]): Promise<void> {
  const what = 'incremental data migration';
  const found = await eventually(
    async () => {
      const ended = running.find((process) => !process.running);
      if (ended) return new Error(`a process ended:\n${ended.output}`);
      return (await ctx.destination.value('SELECT phase FROM sluice.sink')) === what;
    },
    { what: `${what}\n${running.map(({ output }) => output).join('\n')}`, timeoutMs: 120_000, intervalMs: 100 },
  );
  if (found instanceof Error) throw found;
}

/** Waits until something of the stream is applied; gives the position. */
export function firstApplied(database: TestDatabase): Promise<bigint> {
  const position = async () => BigInt((await appliedPosition(database))['position'] ?? 0) || false;
  return eventually(position, { timeoutMs: 120_000, what: 'a first change being applied' });
}

interface AppliedOptions {
  readonly sink?: string;
  readonly running?: readonly SluiceProcess[];
  readonly timeoutMs?: number;
}

/** Waits until all that commits below the fence is applied; fails at once when one of the processes ends. */
export async function applied(
  database: TestDatabase,
  fence: bigint,
  { sink = 'main', running = [], timeoutMs = 120_000 }: AppliedOptions = {},
): Promise<Row> {
  const position = await eventually(
    async () => {
      const ended = running.find((process) => !process.running);
      if (ended) return new Error(`a process ended:\n${ended.output}`);
      const row = await appliedPosition(database, sink);
      return lsnOf(row['lsn'] ?? '0/0') >= fence ? row : false;
    },
    { what: `sink ${sink} applying up to the fence`, timeoutMs, intervalMs: 100 },
  );
  if (position instanceof Error) throw position;
  return position;
}

/** Everything committed so far is at the destination, row by row, and no change missed its row. */
export async function expectCaughtUp(ctx: TestContext, running: readonly SluiceProcess[]): Promise<Row> {
  const position = await applied(ctx.destination, await fenceAt(ctx), { running });
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  expect(position['conflicts']).toBe('0');
  return position;
}
