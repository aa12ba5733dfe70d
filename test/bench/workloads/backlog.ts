import { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type Bench, interleaved, type Outcome, Samples, type Workload } from '../bench.ts';
import { markerTable, seesMarker, setMarker } from '../load/marker.ts';
import { expectEqualContent } from '../measure/content.ts';
import { Meter } from '../measure/meter.ts';
import { rate } from '../measure/sample.ts';
import { ManifestEnd } from '../sides/manifest-end.ts';
import { NativeReplication } from '../sides/native.ts';
import { drained, SluiceTask, untilTrue } from '../sides/sluice-task.ts';

export interface BacklogOptions {
  readonly name: string;
  readonly title: string;
  readonly tables: string;
  describe(bench: Bench): string;
  fill(source: TestDatabase, bench: Bench): Promise<void>;
  /** Commits the backlog; gives the number of row changes. */
  generate(source: TestDatabase, bench: Bench): Promise<number>;
  /** Also capture alone and then sink alone, on a second backlog of each round. */
  readonly parts?: boolean;
}

/**
 * A backlog of changes that waits at the source, drained by Sluice and by native logical replication, each with a
 * slot and a destination of its own; both were caught up before. The clock runs from the start of the side until the
 * last change is visible at its destination.
 */
export function backlogWorkload(options: BacklogOptions): Workload {
  return { name: options.name, title: options.title, run: (bench) => runBacklog(options, bench) };
}

interface Ends {
  readonly bench: Bench;
  readonly source: TestDatabase;
  readonly native: NativeReplication;
  readonly nativeDestination: TestDatabase;
  readonly task: SluiceTask;
}

interface Backlog {
  readonly changes: number;
  readonly marker: string;
}

async function runBacklog(options: BacklogOptions, bench: Bench): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const ends = await prepare(options, bench, cleanup);
  const samples = new Samples();
  for (let round = 0; round < bench.rounds; round++) {
    const whole = await generate(options, ends);
    await interleaved(round, [
      async () => samples.add('native', await drainNative(ends, whole)),
      async () => samples.add('sluice', await drainWhole(ends, whole)),
    ]);
    if (!options.parts) continue;
    const parts = await generate(options, ends);
    await interleaved(round, [
      async () => samples.add('native again', await drainNative(ends, parts)),
      async () => {
        samples.add('capture alone', await captureAlone(ends, parts));
        samples.add('sink alone', await sinkAlone(ends, parts));
      },
    ]);
  }
  if (bench.profileDir !== null) {
    const backlog = await generate(options, ends);
    ends.task.profileDir = bench.profileDir;
    await drainWhole(ends, backlog);
  }
  return { description: options.describe(bench), unit: 'changes', samples: samples.all, figures: [] };
}

async function prepare(options: BacklogOptions, bench: Bench, cleanup: Cleanup): Promise<Ends> {
  const { servers } = bench;
  const name = options.name.replaceAll('-', '_');
  const source = await servers.sourceDatabase(name, cleanup);
  await source.query(`${options.tables}; ${markerTable}`);
  await options.fill(source, bench);
  await source.query('VACUUM ANALYZE');

  const nativeDestination = await servers.destinationDatabase(`${name}_native`, cleanup);
  await nativeDestination.query(`${options.tables}; ${markerTable}`);
  const native = await NativeReplication.create({ source, destination: nativeDestination, name: `native_${name}` });
  cleanup.defer(() => native.drop());
  await native.synchronised();
  await native.disable();

  const destination = await servers.destinationDatabase(name, cleanup);
  const task = new SluiceTask({ servers, source, destination, name: `bench-${options.name}` });
  await task.migrate();
  cleanup.defer(() => {
    task.profileDir = null;
    return task.release();
  });
  for (const end of [nativeDestination, destination]) await end.query('VACUUM ANALYZE');
  return { bench, source, native, nativeDestination, task };
}

async function generate(options: BacklogOptions, { bench, source }: Ends): Promise<Backlog> {
  const began = performance.now();
  const changes = await options.generate(source, bench);
  const marker = await setMarker(source);
  bench.say(`generated ${changes} changes in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return { changes, marker };
}

async function drainNative({ bench, source, native, nativeDestination }: Ends, backlog: Backlog) {
  const client = await nativeDestination.connect();
  await bench.servers.checkpoint();
  const meter = await Meter.start({ servers: bench.servers, slot: native.slot });
  await native.enable();
  await untilTrue(() => seesMarker(client, backlog.marker));
  const sample = await meter.stop(backlog.changes);
  await client.end();
  await native.disable();
  await expectEqualContent(source, nativeDestination);
  bench.say(`native: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

async function drainWhole({ bench, source, task }: Ends, backlog: Backlog) {
  const client = await task.destination.connect();
  await bench.servers.checkpoint();
  const meter = await Meter.start({ servers: bench.servers, slot: task.slot });
  await using capture = task.start('capture');
  await using sink = task.start('sink');
  meter.follow('capture', capture.pid);
  meter.follow('sink', sink.pid);
  await untilTrue(() => seesMarker(client, backlog.marker), { running: [capture, sink] });
  const sample = await meter.stop(backlog.changes);
  await client.end();
  await drained(capture, sink);
  await expectEqualContent(source, task.destination);
  bench.say(`sluice: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

async function captureAlone({ bench, source, task }: Ends, backlog: Backlog) {
  const end = (await source.value('SELECT pg_current_wal_flush_lsn()')) ?? '';
  await using manifest = await ManifestEnd.open(bench.servers, task.name);
  await bench.servers.checkpoint();
  const meter = await Meter.start({ servers: bench.servers, slot: task.slot });
  await using capture = task.start('capture');
  meter.follow('capture', capture.pid);
  await untilTrue(() => manifest.lists(end), { running: [capture] });
  const sample = await meter.stop(backlog.changes);
  await drained(capture);
  bench.say(`capture alone: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

async function sinkAlone({ bench, source, task }: Ends, backlog: Backlog) {
  const client = await task.destination.connect();
  const sessions = {
    name: 'bench-sessions',
    text: `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice sink%'`,
  };
  await bench.servers.checkpoint();
  const meter = await Meter.start({ servers: bench.servers });
  await using sink = task.start('sink');
  meter.follow('sink', sink.pid);
  await untilTrue(async () => (await client.query(sessions)).rows.length > 0, { running: [sink] });
  meter.started();
  await untilTrue(() => seesMarker(client, backlog.marker), { running: [sink] });
  const sample = await meter.stop(backlog.changes);
  await client.end();
  await drained(sink);
  await expectEqualContent(source, task.destination);
  bench.say(`sink alone: ${Math.round(rate(sample))} changes/s`);
  return sample;
}
