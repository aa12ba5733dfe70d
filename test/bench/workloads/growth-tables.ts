import { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type Bench, Figures, interleaved, type Outcome, Samples, type Workload } from '../bench.ts';
import { createManyTables, runManyTables, touchManyTables } from '../load/many-tables.ts';
import { markerTable, seesMarker, setMarker } from '../load/marker.ts';
import { expectEqualContent } from '../measure/content.ts';
import { Meter } from '../measure/meter.ts';
import { rate } from '../measure/sample.ts';
import { drained, SluiceTask, untilTrue } from '../sides/sluice-task.ts';
import { isStreaming } from '../sides/streaming.ts';

const FEW = 10;
const MANY = 1000;
const TRANSACTIONS = 50_000;

export const growthTables: Workload = { name: 'growth-tables', title: 'Many tables against few', run };

interface Side {
  readonly bench: Bench;
  readonly source: TestDatabase;
  readonly task: SluiceTask;
  readonly tables: number;
  /** As reports name it. */
  readonly name: string;
}

async function run(bench: Bench): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const samples = new Samples();
  const figures = new Figures();
  const few = await prepare(bench, cleanup, FEW, `${FEW} tables`);
  // Scaled down it keeps its name, by which it is judged; the description says what it was.
  const tables = Math.max(FEW * 2, bench.scaled(MANY));
  const many = await prepare(bench, cleanup, tables, `${MANY} tables`);
  for (const side of [few, many]) figures.add(`first start, ${side.name}`, 's', await firstStart(side));
  for (let round = 0; round < bench.rounds; round++) {
    const measure = async (side: Side) => samples.add(side.name, await streamed(side, figures));
    await interleaved(round, [() => measure(few), () => measure(many)]);
  }
  const description =
    `${bench.scaled(TRANSACTIONS)} transactions of four changes, each in one of ${few.tables} and of ${tables} tables, ` +
    'made while capture stands still and streamed by services that have seen each table; the first start makes schema and topics, ' +
    'starting again lasts until a change that waited is visible';
  return { description, unit: 'changes', samples: samples.all, figures: figures.all, profiles: {} };
}

async function prepare(bench: Bench, cleanup: Cleanup, tables: number, name: string): Promise<Side> {
  const { servers } = bench;
  const source = await servers.sourceDatabase(`tables${tables}`, cleanup);
  await source.query(`${markerTable}; CREATE SEQUENCE bench_many`);
  await createManyTables(source, tables);
  const destination = await servers.destinationDatabase(`tables${tables}`, cleanup);
  const task = new SluiceTask({ servers, source, destination, name: `bench-tables${tables}` });
  return { bench, source, task, tables, name };
}

/** Seconds until the stream is applied. */
async function firstStart({ bench, task, name }: Side): Promise<number> {
  const began = performance.now();
  await using migrate = task.start('migrate');
  await untilTrue(() => isStreaming(task.destination), { running: [migrate] });
  const seconds = (performance.now() - began) / 1000;
  bench.say(`first start, ${name}: ${seconds.toFixed(1)} s`);
  await drained(migrate);
  return seconds;
}

async function streamed({ bench, source, task, tables, name }: Side, figures: Figures) {
  const client = await task.destination.connect();
  const waiting = await setMarker(source);
  const began = performance.now();
  await using capture = task.start('capture');
  await using sink = task.start('sink');
  const running = [capture, sink];
  await untilTrue(() => seesMarker(client, waiting), { running });
  figures.add(`started again, ${name}`, 's', (performance.now() - began) / 1000);

  // What is looked up once for each table is no part of the speed of a stream.
  await touchManyTables(source, tables);
  const touched = await setMarker(source);
  await untilTrue(() => seesMarker(client, touched), { running });
  capture.signalGroup('SIGSTOP');
  const changes = await runManyTables(source, tables, bench.scaled(TRANSACTIONS));
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
