import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expectEqualDatabases } from '../compare.ts';
import { type TestContext, testContext } from '../context.ts';
import { eventually } from '../eventually.ts';
import { Failpoints } from '../failpoints.ts';
import { lsnOf } from '../manifest-log.ts';
import { expectSoundTopics } from '../manifest-reader.ts';
import { sluice } from '../processes.ts';
import { Random } from '../random.ts';
import { appliedPosition, fenceAt } from '../sink-scenario.ts';
import type { ProxyCounts } from '../tcp-proxy.ts';
import { Workload, type WorkloadCounts } from '../workload.ts';
import { describeFault, type Fault, generateRounds, type Round } from './faults.ts';
import { checkLedger } from './ledger.ts';
import { Migrate } from './migrate.ts';
import { generateSchema } from './schema.ts';
import { Stage } from './stage.ts';
import { GeneratedWork } from './transactions.ts';

export interface RunOptions {
  /** Schema, decisions of the clients, faults and failpoints follow from it. */
  readonly seed: number;
  readonly rounds: number;
  readonly brokers: 1 | 3;
  readonly log: (line: string) => void;
}

export interface RunReport {
  readonly load: WorkloadCounts;
  /** Position that was applied when the faults began, when they were over, and at the end. */
  readonly positions: { readonly before: bigint; readonly after: bigint; readonly final: bigint };
  readonly failpointsHit: readonly string[];
  readonly killed: number;
  readonly starts: number;
  readonly network: ProxyCounts;
  readonly epochs: number;
  readonly transactions: number;
  readonly rows: number;
}

const CLIENTS = 4;
/** Longest without progress once nothing is broken any more: what waits longer hangs. */
const PATIENCE_MS = 240_000;

/**
 * One run: a generated schema and load, faults, then the same rows at both ends, topics in which nothing is missing or
 * doubled, and the same again after `sluice cutover`.
 * @throws Error what does not hold
 */
export async function runRandom({ seed, rounds, brokers, log }: RunOptions): Promise<RunReport> {
  const random = new Random(seed);
  const [forSchema, forFaults, forRows] = [random.fork(), random.fork(), random.fork()];
  const schema = generateSchema(forSchema);
  const plan = generateRounds(forFaults, { rounds, brokers });
  const settings = { wal_sender_timeout: forFaults.pick(['60s', '10s', '5s']) };
  await using stage = await Stage.open(brokers, settings);
  await using ctx = await testContext(stage.addresses);
  await ctx.source.query(schema.sql);
  await fill(ctx, schema.tables, forRows);
  log(`${schema.tables.length} tables, wal_sender_timeout ${settings.wal_sender_timeout}`);

  const work = (client: number) => new GeneratedWork(schema.tables, client);
  await using load = new Workload(ctx.source.url, { seed, clients: CLIENTS, transactionsPerSecond: 60, work });
  const args = taskArguments(ctx, stage);
  await using migrate = new Migrate(args, log);
  await using points = new Points();
  const scene: Scene = { stage, ctx, migrate, log, points };
  for (const [index, round] of plan.entries()) await play(scene, round, index);
  await progress(scene);
  const after = await position(ctx);
  for (const proxy of stage.proxies) proxy.heal();
  await load.progress(20);
  const counts = await load.stop();
  await commitPrepared(ctx);

  await migrate.ensure();
  await caughtUp(scene);
  const final = await position(ctx);
  const rows = await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  const report = await expectSoundTopics(ctx);
  const { problems, transactions } = await checkLedger(ctx.source, report.listed);
  if (problems.length > 0) throw new Error(`the ledger does not agree:\n${problems.slice(0, 20).join('\n')}`);
  const { conflicts, last_conflict: last } = await appliedPosition(ctx.destination);
  if (conflicts !== '0') throw new Error(`${conflicts} conflicts, the last: ${last}`);
  if (final !== report.lastPosition) throw new Error(`applied ${final}, the topics end with ${report.lastPosition}`);

  await using cutover = sluice(['cutover', ...args, '--timeout', '120'], {});
  const ended = await cutover.exit(180_000);
  if (ended.code !== 0) throw new Error(`cutover ended with ${ended.code}:\n${cutover.output}\n${migrate.output}`);
  const exit = await migrate.exit(60_000);
  if (exit?.code !== 0) throw new Error(`migrate ended with ${exit?.code} after cutover:\n${migrate.output}`);
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
  return {
    load: counts,
    positions: { before: scene.before ?? 0n, after, final },
    failpointsHit: points.acted,
    killed: migrate.killed,
    starts: migrate.starts,
    network: total(stage.proxies.map(({ counts: each }) => each)),
    epochs: report.epochs,
    transactions,
    rows,
  };
}

interface Scene {
  readonly stage: Stage;
  readonly ctx: TestContext;
  readonly migrate: Migrate;
  readonly log: (line: string) => void;
  readonly points: Points;
  /** Of the round: what a migrate is started with. */
  arm?: () => Readonly<Record<string, string>>;
  /** Applied when the first fault met the stream. */
  before?: bigint | undefined;
}

async function play(scene: Scene, { pauseMilliseconds, fault, failpoints, settles }: Round, index: number) {
  const { ctx, migrate, log, points } = scene;
  scene.arm = () => {
    log(`migrate is started ${failpoints}`);
    return failpoints ? points.arm(failpoints) : {};
  };
  await migrate.ensure(scene.arm);
  log(`round ${index}: after ${pauseMilliseconds} ms ${describeFault(fault)}`);
  await delay(pauseMilliseconds);
  await strike(scene, fault);
  if (settles && index > 0) await progress(scene);
  scene.before ??= (await position(ctx)) || undefined;
}

/** Failpoints armed so far: a process that outlives its round goes on to log what it hits. */
class Points implements AsyncDisposable {
  readonly #armed: Failpoints[] = [];

  arm(points: string): Readonly<Record<string, string>> {
    const armed = new Failpoints(points);
    this.#armed.push(armed);
    return armed.env;
  }

  get acted(): string[] {
    const hits = this.#armed.flatMap((armed) => armed.hits());
    return hits.flatMap(({ name, action }) => (action === '-' ? [] : [name]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const armed of this.#armed) await armed[Symbol.asyncDispose]();
  }
}

async function strike({ stage, migrate, log }: Scene, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      if (fault.victim === 'group' || fault.victim === 'parent') await migrate.kill(fault.victim);
      else await gone(await migrate.signal(fault.victim, 'SIGKILL'));
      return;
    case 'asleep': {
      const pid = await migrate.signal(fault.victim, 'SIGSTOP');
      await delay(fault.milliseconds);
      try {
        process.kill(pid, 'SIGCONT');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
      return;
    }
    case 'server':
      await stage.strike(fault.place, fault.how, fault.milliseconds);
      return;
    case 'network': {
      const proxy = stage.proxy(fault.place);
      const met = ({ reset, halfClosed, blackHoled, slowed }: ProxyCounts) => reset + halfClosed + blackHoled + slowed;
      // The registry is asked now and then only.
      if (fault.place !== 'registry')
        await eventually(() => proxy.open > 0, { what: `a connection to ${fault.place}` });
      const before = met(proxy.counts);
      proxy.begin(fault.fault);
      await delay(fault.milliseconds);
      proxy.heal();
      log(`  met ${met(proxy.counts) - before} times`);
    }
  }
}

/** Its parent may not have waited for it yet. */
async function gone(pid: number): Promise<void> {
  const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
  await eventually(() => !existsSync(`/proc/${pid}`) || state() === 'Z', { what: `the end of process ${pid}` });
}

/** Waits until more is applied than now. */
async function progress(scene: Scene): Promise<void> {
  const { ctx, migrate } = scene;
  await migrate.ensure(scene.arm);
  const now = await position(ctx);
  const began = Date.now();
  await eventually(
    async () => {
      await migrate.ensure(scene.arm);
      return (await position(ctx)) > now;
    },
    { timeoutMs: PATIENCE_MS, what: 'more being applied', intervalMs: 100 },
  ).catch((error: unknown) => {
    throw new Error(`nothing goes on:\n${migrate.output}`, { cause: error });
  });
  scene.log(`  went on after ${Date.now() - began} ms`);
}

async function caughtUp(scene: Scene): Promise<void> {
  const { ctx, migrate } = scene;
  const fence = await fenceAt(ctx);
  const began = Date.now();
  await eventually(
    async () => {
      await migrate.ensure();
      return lsnOf((await appliedPosition(ctx.destination))['lsn'] ?? '0/0') >= fence;
    },
    { timeoutMs: PATIENCE_MS, what: 'the fence being passed', intervalMs: 100 },
  ).catch((error: unknown) => {
    throw new Error(`does not catch up:\n${migrate.output}`, { cause: error });
  });
  scene.log(`caught up after ${Date.now() - began} ms`);
}

/** 0 before there is one. */
async function position({ destination }: TestContext): Promise<bigint> {
  try {
    return BigInt((await appliedPosition(destination))['position'] ?? 0);
  } catch {
    return 0n;
  }
}

/** Rows before the load, so that there is something to read. */
async function fill(
  ctx: TestContext,
  tables: ReturnType<typeof generateSchema>['tables'],
  random: Random,
): Promise<void> {
  const client = await ctx.source.connect();
  try {
    const work = new GeneratedWork(tables, CLIENTS);
    await work.begin(client);
    for (let transaction = 0; transaction < 40; transaction++) {
      await work.transaction(client, random).catch(() => client.query('ROLLBACK'));
    }
  } finally {
    await client.end();
  }
}

/** Of clients that were stopped while the server was away. */
async function commitPrepared({ source }: TestContext): Promise<void> {
  const left = await source.query('SELECT gid FROM pg_prepared_xacts WHERE database = current_database()');
  for (const { gid } of left) await source.query(`COMMIT PREPARED '${gid}'`);
}

function taskArguments(ctx: TestContext, stage: Stage): string[] {
  const { source, destination } = ctx;
  return [
    ...['--name', ctx.task, '--source', stage.through('source', source.url)],
    ...['--destination', stage.through('destination', destination.url)],
    ...['--brokers', stage.proxiedBrokers.join(','), '--registry', stage.through('registry', ctx.registry)],
  ];
}

function total(counts: readonly ProxyCounts[]): ProxyCounts {
  const sum = (name: keyof ProxyCounts) => counts.reduce((all, each) => all + each[name], 0);
  return {
    accepted: sum('accepted'),
    reset: sum('reset'),
    halfClosed: sum('halfClosed'),
    blackHoled: sum('blackHoled'),
    swallowed: sum('swallowed'),
    slowed: sum('slowed'),
  };
}
