import { setTimeout as delay } from 'node:timers/promises';
import { Cleanup } from '../../support/cleanup.ts';
import type { SluiceProcess } from '../../support/processes.ts';
import { type Bench, Figures, interleaved, type Outcome, Samples, type Workload } from '../bench.ts';
import { markerTable, seesMarker, setMarker } from '../load/marker.ts';
import { CHANGES_PER_TPCB_TRANSACTION, fillTpcb, tpcbOfScale, tpcbTables } from '../load/tpcb.ts';
import { type Latencies, measureLatency, percentile, pingTable } from '../measure/latency.ts';
import { Meter } from '../measure/meter.ts';
import { type Profiles, profilesOf } from '../measure/profile.ts';
import { type Ends, prepareEnds } from '../sides/ends.ts';
import { NativeReplication } from '../sides/native.ts';
import { drained, SluiceTask, untilTrue } from '../sides/sluice-task.ts';

const PER_SECOND = 200;
const SECONDS = 20;
/**
 * Broker and services compile their code while they work, and take most of the machine for it in the first minute. What
 * is asked for is the latency of what has been running.
 */
const WARM_UP_SECONDS = 60;
const SCALE = 10;
const LARGE_ROWS = 3_000_000;
const CHANGES = CHANGES_PER_TPCB_TRANSACTION + 1;

const { accounts, tellers, branches } = tpcbOfScale(SCALE);
/** A TPC-B transaction in one round trip. */
const statement = `
  WITH chosen AS MATERIALIZED (SELECT (1 + random() * ${accounts - 1})::int AS aid, (1 + random() * ${tellers - 1})::int AS tid,
      (1 + random() * ${branches - 1})::int AS bid),
    account AS (UPDATE pgbench_accounts a SET abalance = abalance + 7 FROM chosen c WHERE a.aid = c.aid),
    teller AS (UPDATE pgbench_tellers t SET tbalance = tbalance + 7 FROM chosen c WHERE t.tid = c.tid),
    branch AS (UPDATE pgbench_branches b SET bbalance = bbalance + 7 FROM chosen c WHERE b.bid = c.bid),
    history AS (INSERT INTO pgbench_history SELECT tid, bid, aid, 7, now() FROM chosen)
  INSERT INTO pings VALUES ($1)`;

/** The table that is read meanwhile, and which neither side's stream has. */
const largeTable = 'CREATE TABLE large (id int PRIMARY KEY, filler char(84))';
const streamed = 'pgbench_accounts, pgbench_tellers, pgbench_branches, pgbench_history, pings, bench_marker';

export const latency: Workload = { name: 'latency', title: 'Latency, from commit to visible', run };

async function run(bench: Bench): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const large = bench.scaled(LARGE_ROWS);
  const ends = await prepareEnds(bench, cleanup, {
    name: 'latency',
    tables: [tpcbTables, markerTable, pingTable, largeTable].join(';'),
    async fill(source) {
      await fillTpcb(source, tpcbOfScale(SCALE));
      await source.query(`INSERT INTO large SELECT i, '' FROM generate_series(1, ${large}) i`);
    },
    nativeTables: `TABLE ${streamed}`,
    sluiceArguments: ['--exclude-table', 'public.large'],
  });
  const measured: Measured = { samples: new Samples(), figures: new Figures() };
  for (let round = 0; round < bench.rounds; round++) {
    await interleaved(round, [() => ofNative(ends, measured, round), () => ofSluice(ends, measured, round)]);
  }
  const description =
    `${PER_SECOND} TPC-B transactions a second, milliseconds from the answer to COMMIT until the rows are seen at the ` +
    `destination; then the same while another table of ${large} rows is read and loaded, by a second task or subscription`;
  const samples = measured.samples.all;
  const figures = measured.figures.all;
  const profileDir = bench.profileDir(samples, figures);
  const profiles = profileDir === null ? {} : await profiled(ends, profileDir);
  return { description, unit: 'changes', samples, figures, profiles };
}

async function profiled(ends: Ends, profileDir: string): Promise<Profiles> {
  const startSeconds = await withServices(
    ends,
    async (since) => {
      const began = performance.now();
      await latencies(ends, 'sluice', delay(seconds(ends.bench, WARM_UP_SECONDS) * 1000));
      const warmSeconds = (performance.now() - began) / 1000;
      await latencies(ends, 'sluice', delay(seconds(ends.bench) * 1000));
      return since + warmSeconds;
    },
    profileDir,
  );
  return profilesOf(profileDir, startSeconds);
}

interface Measured {
  readonly samples: Samples;
  readonly figures: Figures;
}

async function ofNative(ends: Ends, measured: Measured, round: number): Promise<void> {
  const { bench, source, native } = ends;
  await native.enable();
  await caughtUp(ends, 'native');
  await using meter = await Meter.start({ servers: bench.servers, slot: native.slot });
  const alone = await latencies(ends, 'native', delay(seconds(bench) * 1000));
  measured.samples.add('native', await meter.stop(alone.milliseconds.length * CHANGES));
  note(ends, measured, 'native', alone);

  await using cleanup = new Cleanup();
  const destination = await bench.servers.destinationDatabase(`large_native${round}`, cleanup);
  await destination.query(largeTable);
  const name = `native_large${round}`;
  const beside = NativeReplication.create({ source, destination, name, tables: 'TABLE large' });
  cleanup.defer(async () => (await beside).drop());
  const copied = beside.then((copy) => copy.synchronised());
  note(ends, measured, 'native', await latencies(ends, 'native', copied), ' during a snapshot');
  await native.disable();
}

async function ofSluice(ends: Ends, measured: Measured, round: number): Promise<void> {
  await withServices(ends, (_, services) => measuredWith(ends, { measured, round, services }));
}

interface Services {
  readonly capture: SluiceProcess;
  readonly sink: SluiceProcess;
}

/** Runs both, caught up; `work` is told how many seconds that took. */
async function withServices<T>(
  ends: Ends,
  work: (startSeconds: number, services: Services) => Promise<T>,
  profileDir?: string,
): Promise<T> {
  const began = performance.now();
  await using capture = ends.task.start('capture', { profileDir });
  await using sink = ends.task.start('sink', { profileDir });
  await caughtUp(ends, 'sluice');
  const result = await work((performance.now() - began) / 1000, { capture, sink });
  await drained(capture, sink);
  return result;
}

interface Measuring {
  readonly measured: Measured;
  readonly round: number;
  readonly services: Services;
}

async function measuredWith(ends: Ends, { measured, round, services: { capture, sink } }: Measuring): Promise<void> {
  const { bench, source, task } = ends;
  await latencies(ends, 'sluice', delay(seconds(bench, WARM_UP_SECONDS) * 1000));
  await using meter = await Meter.start({ servers: bench.servers, slot: task.slot });
  meter.follow('capture', capture.pid);
  meter.follow('sink', sink.pid);
  const alone = await latencies(ends, 'sluice', delay(seconds(bench) * 1000));
  measured.samples.add('sluice', await meter.stop(alone.milliseconds.length * CHANGES));
  note(ends, measured, 'sluice', alone);

  await using cleanup = new Cleanup();
  const destination = await bench.servers.destinationDatabase(`large${round}`, cleanup);
  const args = ['--include-table', 'public.large', '--types', 'schema,full'];
  const beside = new SluiceTask({ servers: bench.servers, source, destination, name: `bench-large${round}`, args });
  cleanup.defer(() => beside.release());
  note(ends, measured, 'sluice', await latencies(ends, 'sluice', beside.run('migrate')), ' during a snapshot');
}

function seconds({ scaled }: Bench, count = SECONDS): number {
  return Math.max(5, scaled(count));
}

type Side = 'native' | 'sluice';

function destinationOf({ native, task }: Ends, side: Side) {
  return (side === 'native' ? native : task).destination;
}

async function caughtUp(ends: Ends, side: Side): Promise<void> {
  const marker = await setMarker(ends.source);
  const client = await destinationOf(ends, side).connect();
  await untilTrue(() => seesMarker(client, marker));
  await client.end();
}

function latencies(ends: Ends, side: Side, until: Promise<unknown>): Promise<Latencies> {
  const destination = destinationOf(ends, side);
  return measureLatency({ source: ends.source, destination, statement, perSecond: PER_SECOND, until });
}

function note({ bench }: Ends, { figures }: Measured, side: Side, found: Latencies, when = ''): void {
  const named = { p50: percentile(found, 50), p99: percentile(found, 99), max: percentile(found, 100) };
  for (const [name, value] of Object.entries(named)) figures.add(`${side} ${name}${when}`, 'ms', value);
  const text = Object.entries(named).map(([name, value]) => `${name} ${value.toFixed(1)} ms`);
  bench.say(`${side}${when}: ${text.join(', ')} of ${found.milliseconds.length}`);
}
