import { defaultParallelism } from '../../../shared/task/resolve.ts';
import { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type Bench, interleaved, type Outcome, Samples, type Workload } from '../bench.ts';
import { fillSnapshotTables, snapshotKeys, snapshotTables } from '../load/snapshot-tables.ts';
import { SourceWriter, WRITES_PER_SECOND } from '../load/source-writer.ts';
import { expectEqualContent } from '../measure/content.ts';
import { Meter } from '../measure/meter.ts';
import { childWith } from '../measure/process-usage.ts';
import { type Profiles, profilesOf } from '../measure/profile.ts';
import { rate } from '../measure/sample.ts';
import { CopyPipe } from '../sides/copy-pipe.ts';
import { NativeReplication } from '../sides/native.ts';
import { drained, SluiceTask, untilTrue } from '../sides/sluice-task.ts';
import { isStreaming } from '../sides/streaming.ts';

const ACCOUNTS = 2_000_000;
const MIXED = 300_000;
const EXIT_MS = 300_000;

export const snapshot: Workload = { name: 'snapshot', title: 'Snapshot', run };

interface Round {
  readonly bench: Bench;
  readonly source: TestDatabase;
  readonly rows: number;
  /** Of databases, slots and tasks. */
  readonly name: string;
}

async function run(bench: Bench): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const { scaled, servers } = bench;
  const size = { accounts: scaled(ACCOUNTS), mixed: scaled(MIXED) };
  const source = await servers.sourceDatabase('snapshot', cleanup);
  await source.query([snapshotTables, ...snapshotKeys].join(';'));
  await fillSnapshotTables(source, size);
  await source.query('VACUUM ANALYZE');
  const samples = new Samples();
  const untilExit: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    const one: Round = { bench, source, rows: size.accounts + size.mixed, name: `snapshot${round}` };
    await interleaved(round, [
      async () => samples.add('copy', await copy(one)),
      async () => samples.add('native', await native(one)),
      async () => {
        const { sample, exit } = await sluice(one);
        samples.add('sluice', sample);
        untilExit.push(exit);
      },
    ]);
  }
  const last: Round = { bench, source, rows: size.accounts + size.mixed, name: 'snapshot_written' };
  samples.add('sluice, written to', (await sluice(last, new SourceWriter(source, size.accounts))).sample);
  const profileDir = bench.profileDir(samples.all);
  const profiles = profileDir === null ? {} : await profiled({ ...last, name: 'snapshotp' }, profileDir);
  const description =
    `${size.accounts} rows of pgbench_accounts and ${size.mixed} rows of 20 mixed columns, ` +
    'from the start of `sluice migrate --until caught-up` until all rows are visible and the keys are there; ' +
    `at the end once more while ${WRITES_PER_SECOND} rows a second are changed`;
  const figures = [{ name: 'until `sluice migrate --until caught-up` has ended', unit: 's', values: untilExit }];
  return { description, unit: 'rows', samples: samples.all, figures, profiles };
}

async function copy({ bench, source, rows, name }: Round) {
  await using cleanup = new Cleanup();
  const destination = await bench.servers.destinationDatabase(`${name}_copy`, cleanup);
  await destination.query(snapshotTables);
  await using pipe = await CopyPipe.open({
    source,
    destination,
    tables: ['accounts', 'mixed'],
    parallel: defaultParallelism(),
  });
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers });
  meter.follow('pipe', pipe.pid);
  await pipe.run();
  await Promise.all(snapshotKeys.map((sql) => onOwnConnection(destination, sql)));
  const sample = await meter.stop(rows);
  await expectEqualContent(source, destination);
  bench.say(`copy through a pipe: ${Math.round(rate(sample))} rows/s`);
  return sample;
}

async function onOwnConnection(database: TestDatabase, sql: string): Promise<void> {
  const client = await database.connect();
  await client.query(sql);
  await client.end();
}

async function native({ bench, source, rows, name }: Round) {
  await using cleanup = new Cleanup();
  const destination = await bench.servers.destinationDatabase(`${name}_native`, cleanup);
  await destination.query([snapshotTables, ...snapshotKeys].join(';'));
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers, slot: `native_${name}` });
  const subscription = await NativeReplication.create({ source, destination, name: `native_${name}` });
  cleanup.defer(() => subscription.drop());
  await subscription.synchronised();
  const sample = await meter.stop(rows);
  await expectEqualContent(source, destination);
  bench.say(`native: ${Math.round(rate(sample))} rows/s`);
  return sample;
}

/** `writer`: changes rows until all are read and loaded. */
async function sluice({ bench, source, rows, name }: Round, writer?: SourceWriter) {
  await using cleanup = new Cleanup();
  const { servers } = bench;
  const destination = await servers.destinationDatabase(name, cleanup);
  const task = new SluiceTask({ servers, source, destination, name: name.replace('_', '-') });
  await servers.checkpoint();
  await using meter = await Meter.start({ servers, slot: task.slot });
  await using migrate = task.start('migrate', { more: ['--until', 'caught-up'] });
  cleanup.defer(() => task.release());
  meter.follow('control', migrate.pid);
  const services: [name: string, script: string][] = [
    ['capture', 'capture/main'],
    ['sink', 'sink-postgres/main'],
  ];
  for (const [service, script] of services) {
    await untilTrue(async () => followChild(meter, service, migrate.pid, script), { running: [migrate] });
  }
  const writing = writer?.run();
  await untilTrue(() => isStreaming(destination), { running: [migrate], intervalMs: 20 });
  const sample = await meter.stop(rows);
  writer?.stop();
  await writing;
  const { code } = await migrate.exit(EXIT_MS);
  if (code !== 0) throw new Error(migrate.output);
  const exit = meter.seconds;
  if (writer) await task.migrate();
  await expectEqualContent(source, destination);
  bench.say(`sluice${writer ? ', written to' : ''}: ${Math.round(rate(sample))} rows/s`);
  return { sample, exit };
}

function followChild(meter: Meter, service: string, parent: number, script: string): boolean {
  const pid = childWith(parent, (line) => line.includes(script));
  if (pid !== null) meter.follow(service, pid);
  return pid !== null;
}

/** The same by the services alone, which can write profiles. */
async function profiled({ bench, source, rows, name }: Round, profileDir: string): Promise<Profiles> {
  await using cleanup = new Cleanup();
  const { servers } = bench;
  const destination = await servers.destinationDatabase(name, cleanup);
  const task = new SluiceTask({ servers, source, destination, name });
  await using meter = await Meter.start({ servers, slot: task.slot });
  await using capture = task.start('capture', { profileDir });
  await using sink = task.start('sink', { profileDir });
  await untilTrue(() => isStreaming(destination), { running: [capture, sink] });
  const { startSeconds } = await meter.stop(rows);
  await drained(capture, sink);
  await task.release();
  return profilesOf(profileDir, startSeconds ?? 0);
}
