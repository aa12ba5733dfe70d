import { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type Bench, Figures, interleaved, type Outcome, Samples, type Workload } from '../bench.ts';
import { createManyTables, type ManyTables, runManyTables, touchManyTables } from '../load/many-tables.ts';
import { markerTable, seesMarker, setMarker } from '../load/marker.ts';
import { expectEqualContent } from '../measure/content.ts';
import { Meter } from '../measure/meter.ts';
import { rate } from '../measure/sample.ts';
import { NativeReplication } from '../sides/native.ts';
import { drained, SluiceTask, untilTrue } from '../sides/sluice-task.ts';
import { isStreaming } from '../sides/streaming.ts';

const FEW = 10;
const MANY = 1000;
/** Of each of many tables. */
const ROWS = 100;
const TRANSACTIONS = 50_000;

export const growthTables: Workload = { name: 'growth-tables', title: 'Many tables against few', run };

interface Side {
  readonly bench: Bench;
  readonly source: TestDatabase;
  readonly many: ManyTables;
  /** As reports name it. */
  readonly name: string;
}

interface OfSluice extends Side {
  readonly task: SluiceTask;
}

interface OfNative extends Side {
  readonly native: NativeReplication;
}

async function run(bench: Bench): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const samples = new Samples();
  const figures = new Figures();
  const tables = Math.max(FEW * 2, bench.scaled(MANY));
  // As many rows in all, so that changes of one row come together as often: only the tables are more.
  const few = { many: { tables: FEW, rows: (ROWS * tables) / FEW }, name: `${FEW} tables` };
  // Scaled down it keeps its name, by which it is judged; the description says what it was.
  const many = { many: { tables, rows: ROWS }, name: `${MANY} tables` };
  const small = { many: { tables: FEW, rows: ROWS }, name: `${FEW} small tables` };
  const ours: OfSluice[] = [];
  for (const wanted of [few, many, small]) ours.push(await prepare(bench, cleanup, wanted));
  for (const side of ours) figures.add(`first start, ${side.name}`, 's', await firstStart(side));
  const natives: OfNative[] = [];
  for (const wanted of [few, many]) natives.push(await prepareNative(bench, cleanup, { ...wanted, figures }));
  for (let round = 0; round < bench.rounds; round++) {
    const ofSluice = ours.map((side) => async () => samples.add(side.name, await streamed(side, figures)));
    const ofNative = natives.map((side) => async () => samples.add(side.name, await nativeStreamed(side)));
    await interleaved(round, [...ofSluice, ...ofNative]);
  }
  const description =
    `${bench.scaled(TRANSACTIONS)} transactions of four changes, each in one of ${FEW} and of ${tables} tables of together ` +
    `${tables * ROWS} rows, and of ${FEW} small ones of ${ROWS} rows each (where changes fold into one more often), ` +
    'made while capture stands still and streamed by services that have seen each table; the first start makes schema and topics ' +
    '(that of native replication finds its tables there), starting again lasts until a change that waited is visible';
  return { description, unit: 'changes', samples: samples.all, figures: figures.all, profiles: {} };
}

interface Wanted {
  readonly many: ManyTables;
  readonly name: string;
}

async function prepareSource(
  { servers }: Bench,
  cleanup: Cleanup,
  database: string,
  many: ManyTables,
): Promise<TestDatabase> {
  const source = await servers.sourceDatabase(database, cleanup);
  await source.query(`${markerTable}; CREATE SEQUENCE bench_many`);
  await createManyTables(source, many);
  return source;
}

async function prepare(bench: Bench, cleanup: Cleanup, { many, name }: Wanted): Promise<OfSluice> {
  const { servers } = bench;
  const database = name.replaceAll(' ', '_');
  const source = await prepareSource(bench, cleanup, database, many);
  const destination = await servers.destinationDatabase(database, cleanup);
  const task = new SluiceTask({ servers, source, destination, name: `bench-${name.replaceAll(' ', '-')}` });
  return { bench, source, task, many, name };
}

async function prepareNative(
  bench: Bench,
  cleanup: Cleanup,
  { many, name: of, figures }: Wanted & { readonly figures: Figures },
): Promise<OfNative> {
  const name = `native, ${of}`;
  const database = `native_${of.replaceAll(' ', '_')}`;
  const source = await prepareSource(bench, cleanup, database, many);
  const destination = await bench.servers.destinationDatabase(database, cleanup);
  await destination.query(markerTable);
  await createManyTables(destination, { ...many, rows: 0 });
  const began = performance.now();
  const native = await NativeReplication.create({ source, destination, name: database });
  cleanup.defer(() => native.drop());
  await native.synchronised();
  figures.add(`first start, ${name}`, 's', (performance.now() - began) / 1000);
  return { bench, source, native, many, name };
}

/** Seconds until the stream is applied. */
async function firstStart({ bench, task, name }: OfSluice): Promise<number> {
  const began = performance.now();
  await using migrate = task.start('migrate');
  await untilTrue(() => isStreaming(task.destination), { running: [migrate] });
  const seconds = (performance.now() - began) / 1000;
  bench.say(`first start, ${name}: ${seconds.toFixed(1)} s`);
  await drained(migrate);
  return seconds;
}

async function streamed({ bench, source, task, many, name }: OfSluice, figures: Figures) {
  const client = await task.destination.connect();
  const waiting = await setMarker(source);
  const began = performance.now();
  await using capture = task.start('capture');
  await using sink = task.start('sink');
  const running = [capture, sink];
  await untilTrue(() => seesMarker(client, waiting), { running });
  figures.add(`started again, ${name}`, 's', (performance.now() - began) / 1000);

  // What is looked up once for each table is no part of the speed of a stream.
  await touchManyTables(source, many);
  const touched = await setMarker(source);
  await untilTrue(() => seesMarker(client, touched), { running });
  capture.signalGroup('SIGSTOP');
  const changes = await runManyTables(source, many, bench.scaled(TRANSACTIONS));
  const last = await setMarker(source);
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers });
  meter.follow('capture', capture.pid);
  meter.follow('sink', sink.pid);
  capture.signalGroup('SIGCONT');
  await untilTrue(() => seesMarker(client, last), { running });
  const sample = await meter.stop(changes);
  await client.end();
  await drained(capture, sink);
  await expectEqualContent(source, task.destination);
  bench.say(`${name}: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

async function nativeStreamed({ bench, source, native, many, name }: OfNative) {
  const client = await native.destination.connect();
  await touchManyTables(source, many);
  const touched = await setMarker(source);
  await untilTrue(() => seesMarker(client, touched));
  await native.disable();
  const changes = await runManyTables(source, many, bench.scaled(TRANSACTIONS));
  const last = await setMarker(source);
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers });
  await native.enable();
  await untilTrue(() => seesMarker(client, last));
  const sample = await meter.stop(changes);
  await client.end();
  await expectEqualContent(source, native.destination);
  bench.say(`${name}: ${Math.round(rate(sample))} changes/s`);
  return sample;
}
