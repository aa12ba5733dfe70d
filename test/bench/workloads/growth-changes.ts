import { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import { endOf } from '../../support/kafka-admin.ts';
import { type Bench, Figures, type Outcome, Samples, type Workload } from '../bench.ts';
import { markerTable, seesMarker, setMarker } from '../load/marker.ts';
import { commitInLoop } from '../load/tpcb.ts';
import { expectEqualContent } from '../measure/content.ts';
import { Meter } from '../measure/meter.ts';
import { rate, spread } from '../measure/sample.ts';
import { drained, SluiceTask, untilTrue } from '../sides/sluice-task.ts';

const ROWS = 100_000;
const CHANGES_PER_TRANSACTION = 10;
/** Of each, before and after; the median counts. */
const LOOKS = 3;

/** The same with as many changes as the issue names takes minutes more. */
export const growthChanges = growth('growth-changes', 1_000_000);
export const growthChanges10m: Workload = { ...growth('growth-changes-10m', 10_000_000), onDemand: true };

function growth(name: string, changes: number): Workload {
  return {
    name,
    title: `What ${changes.toLocaleString('en-US')} changes leave behind`,
    run: (bench) => run(bench, name, bench.scaled(changes)),
  };
}

interface Ends {
  readonly bench: Bench;
  readonly source: TestDatabase;
  readonly task: SluiceTask;
  readonly figures: Figures;
}

async function run(bench: Bench, name: string, changes: number): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const { servers } = bench;
  const database = name.replaceAll('-', '_');
  const source = await servers.sourceDatabase(database, cleanup);
  await source.query(`${markerTable}; CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL, note text)`);
  await source.query(`INSERT INTO counters SELECT i, 0, md5(i::text) FROM generate_series(1, ${ROWS}) i`);
  const destination = await servers.destinationDatabase(database, cleanup);
  const task = new SluiceTask({ servers, source, destination, name: `bench-${name}` });
  await task.migrate();
  cleanup.defer(() => task.release());

  const ends: Ends = { bench, source, task, figures: new Figures() };
  const before = await look(ends, 'before');
  const samples = new Samples();
  samples.add('sluice', await stream(ends, changes));
  const after = await look(ends, 'after');
  ends.figures.add('status, after / before', '', after.status / before.status);
  ends.figures.add('started again, after / before', '', after.start / before.start);
  const description =
    `${changes} changes in transactions of ${CHANGES_PER_TRANSACTION}, streamed as they are made; what looking at the ` +
    'task and starting it again costs before and after';
  return { description, unit: 'changes', samples: samples.all, figures: ends.figures.all, profiles: {} };
}

/** With services that run; also what they take while changes are being made beside them. */
async function stream({ bench, source, task }: Ends, changes: number) {
  const client = await task.destination.connect();
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers, slot: task.slot });
  await using capture = task.start('capture');
  await using sink = task.start('sink');
  meter.follow('capture', capture.pid);
  meter.follow('sink', sink.pid);
  const transactions = Math.ceil(changes / CHANGES_PER_TRANSACTION);
  const range = `BETWEEN first AND first + ${CHANGES_PER_TRANSACTION - 1}`;
  await commitInLoop(
    source,
    transactions,
    `first := 1 + i * ${CHANGES_PER_TRANSACTION} % ${ROWS - CHANGES_PER_TRANSACTION};
     UPDATE counters SET value = value + 1 WHERE id ${range}`,
    'first int;',
  );
  const marker = await setMarker(source);
  await untilTrue(() => seesMarker(client, marker), { running: [capture, sink] });
  const sample = await meter.stop(transactions * CHANGES_PER_TRANSACTION);
  await client.end();
  await drained(capture, sink);
  await expectEqualContent(source, task.destination);
  bench.say(`streamed ${Math.round(rate(sample))} changes/s`);
  return sample;
}

async function look({ bench, source, task, figures }: Ends, when: 'before' | 'after') {
  const status: number[] = [];
  const start: number[] = [];
  for (let again = 0; again < LOOKS; again++) {
    status.push(await secondsOfStatus(task));
    start.push(await secondsToStart(source, task));
  }
  const medians = { status: spread(status).median, start: spread(start).median };
  for (const value of status) figures.add(`\`sluice status\`, ${when}`, 's', value);
  for (const value of start) figures.add(`started again until a change is visible, ${when}`, 's', value);
  const size = `SELECT pg_total_relation_size('sluice.position') / 1024`;
  figures.add(`position table, ${when}`, 'KiB', Number(await task.destination.value(size)));
  const brokers = bench.servers.brokers.split(',');
  figures.add(`records of the manifest, ${when}`, '', await endOf({ brokers }, `${task.name}.manifest`));
  bench.say(`${when}: status ${medians.status.toFixed(2)} s, started again in ${medians.start.toFixed(2)} s`);
  return medians;
}

async function secondsOfStatus(task: SluiceTask): Promise<number> {
  const began = performance.now();
  await task.run('status');
  return (performance.now() - began) / 1000;
}

/** Until a change that waited is visible. */
async function secondsToStart(source: TestDatabase, task: SluiceTask): Promise<number> {
  const marker = await setMarker(source);
  const client = await task.destination.connect();
  const began = performance.now();
  await using capture = task.start('capture');
  await using sink = task.start('sink');
  await untilTrue(() => seesMarker(client, marker), { running: [capture, sink] });
  const seconds = (performance.now() - began) / 1000;
  await client.end();
  await drained(capture, sink);
  return seconds;
}
