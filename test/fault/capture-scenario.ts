import { expect } from 'vitest';
import { openKafka } from '../../shared/kafka/kafka.ts';
import type { TestContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { lsnOf, type ManifestLog, readManifest } from '../support/manifest-log.ts';
import { expectSoundTopics, type TopicsReport } from '../support/manifest-reader.ts';
import { type SluiceProcess, startProcess } from '../support/processes.ts';
import { expectStop } from '../support/stopped.ts';

export interface CaptureRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly types?: string;
}

/** The capture service alone, as a process of its own. */
export function startCapture(
  ctx: TestContext,
  { env = {}, args = [], types = 'incremental' }: CaptureRun = {},
): SluiceProcess {
  const main = ['--import', 'tsx', 'services/capture/main.ts'];
  const task = ['--name', ctx.task, '--source', ctx.source.url, '--destination', ctx.destination.url, '--types', types];
  const kafka = ['--brokers', ctx.brokers.join(','), '--registry', ctx.registry];
  return startProcess(process.execPath, [...main, ...task, ...kafka, ...args], { env });
}

/** One that is started now stops so, and status says it. */
export async function expectStreamStops(
  ctx: TestContext,
  code: string,
  says: RegExp,
  args: readonly string[] = [],
): Promise<void> {
  await using capture = startCapture(ctx, { args });
  await expectStop(ctx, capture, { service: 'capture', code, says });
}

/** One table, and a writer that counts what it commits: every row is one insert, so rows and events must agree. */
export class Ledger {
  readonly #ctx: TestContext;
  rows = 0;
  transactions = 0;

  private constructor(ctx: TestContext) {
    this.#ctx = ctx;
  }

  static async create(ctx: TestContext): Promise<Ledger> {
    await ctx.source.query('CREATE TABLE ledger (id bigserial PRIMARY KEY, transaction int, note text)');
    return new Ledger(ctx);
  }

  async write(rows: number): Promise<void> {
    const number = this.transactions + 1;
    const insert = 'INSERT INTO ledger (transaction, note) SELECT $1, repeat($2, 20) FROM generate_series(1, $3)';
    await this.#ctx.source.query(insert, [number, 'n', rows]);
    this.transactions = number;
    this.rows += rows;
  }

  async writeMany(transactions: number): Promise<void> {
    for (let i = 0; i < transactions; i++) await this.write(1 + (i % 5));
  }

  /** Each row is in exactly one event that counts, and everything else about the topics holds. */
  async expectPublishedOnce(): Promise<TopicsReport> {
    const { brokers, registry, task } = this.#ctx;
    await caughtUp(this.#ctx);
    const report = await whenGroupsWork(() => expectSoundTopics({ brokers, registry, task }));
    expect({ events: report.events, transactions: report.transactions }).toEqual({
      events: this.rows,
      transactions: this.transactions,
    });
    return report;
  }
}

/** The reader is an ordinary consumer: after a broker's end its group may have to wait for a coordinator. */
async function whenGroupsWork<T>(read: () => Promise<T>): Promise<T> {
  const outcome = await eventually(async () => {
    try {
      return { value: await read() };
    } catch (error) {
      if (error instanceof Error && error.name.startsWith('KafkaJS')) throw error;
      return { error };
    }
  });
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** Fetched by Sluice's own fetcher, since consumer groups are slow and want a coordinator; judged without its code. */
export async function manifestOf({ brokers, task, registry }: TestContext): Promise<ManifestLog> {
  const signal = AbortSignal.timeout(20_000);
  const settings = { tls: null, sasl: null, partitions: 1, replicationFactor: null, maxMessageBytes: 1_000_000 };
  const fetcher = await openKafka({ ...settings, brokers, registry: { url: registry } }, 'sluice-test').fetcher();
  try {
    const manifest = { topic: `${task}.manifest`, partition: 0 };
    const { high } = await fetcher.watermarks(manifest);
    const values: string[] = [];
    while (BigInt(values.length) < high) {
      const from = { ...manifest, offset: BigInt(values.length), maxBytes: 4_000_000, maxWaitMs: 500 };
      for (const { value } of await fetcher.tail(from, signal)) values.push((value ?? '').toString());
    }
    return readManifest(values);
  } finally {
    await fetcher.close();
  }
}

/** The manifest's LSN: all that commits below it counts. */
export async function publishedLsn(ctx: TestContext): Promise<bigint> {
  const { counted } = await manifestOf(ctx);
  return counted.reduce((most, { lsn }) => (lsnOf(lsn) > most ? lsnOf(lsn) : most), 0n);
}

export async function confirmedLsn(ctx: TestContext): Promise<bigint> {
  const sql = 'SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1';
  return lsnOf((await ctx.source.value(sql, [slotOf(ctx)])) ?? '0/0');
}

/** The slot may be behind what counts, never ahead. The slot is read first: the manifest only grows. */
export async function expectSlotBehindManifest(ctx: TestContext): Promise<void> {
  const confirmed = await confirmedLsn(ctx);
  expect(confirmed).toBeLessThanOrEqual(await publishedLsn(ctx));
}

export function slotOf({ task }: TestContext): string {
  return `sluice_${task.replaceAll('-', '_')}`;
}

/** Everything committed before this call counts in the manifest. */
export async function caughtUp(ctx: TestContext): Promise<boolean> {
  await ctx.source.query(`SELECT pg_logical_emit_message(true, 'sluice.fence', 'test')`);
  const fence = lsnOf((await ctx.source.value('SELECT pg_current_wal_flush_lsn()')) ?? '0/0');
  return eventually(async () => (await publishedLsn(ctx)) >= fence, {
    intervalMs: 100,
    timeoutMs: 120_000,
    what: 'the fence',
  });
}

/** Slot made and streaming; then the capture ends, drained. */
export async function prepareSlot(ctx: TestContext): Promise<void> {
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  capture.signal('SIGTERM');
  expect(await capture.exit()).toEqual({ code: 0, signal: null });
}
