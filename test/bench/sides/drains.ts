import { seesMarker } from '../load/marker.ts';
import { expectEqualContent } from '../measure/content.ts';
import { Meter } from '../measure/meter.ts';
import { rate, type Sample } from '../measure/sample.ts';
import type { Ends } from './ends.ts';
import { ManifestEnd } from './manifest-end.ts';
import { drained, untilTrue } from './sluice-task.ts';

/** Changes that wait at the source. */
export interface Backlog {
  readonly changes: number;
  /** The last one. */
  readonly marker: string;
}

export async function drainNative({ bench, source, native }: Ends, backlog: Backlog): Promise<Sample> {
  const client = await native.destination.connect();
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers, slot: native.slot });
  await native.enable();
  await untilTrue(() => seesMarker(client, backlog.marker));
  const sample = await meter.stop(backlog.changes);
  await client.end();
  await native.disable();
  await expectEqualContent(source, native.destination);
  bench.say(`native: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

/** Capture and sink together. `profileDir`: where they write profiles. */
export async function drainWhole(ends: Ends, backlog: Backlog, profileDir?: string): Promise<Sample> {
  const { bench, source, task } = ends;
  const client = await task.destination.connect();
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers, slot: task.slot });
  await using capture = task.start('capture', { profileDir });
  await using sink = task.start('sink', { profileDir });
  meter.follow('capture', capture.pid);
  meter.follow('sink', sink.pid);
  await untilTrue(() => seesMarker(client, backlog.marker), { running: [capture, sink] });
  const sample = await meter.stop(backlog.changes);
  await client.end();
  await drained(capture, sink);
  await expectEqualContent(source, task.destination);
  bench.say(`sluice${profileDir ? ', profiled' : ''}: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

/** Until the manifest lists everything. */
export async function captureAlone({ bench, source, task }: Ends, backlog: Backlog): Promise<Sample> {
  const end = (await source.value('SELECT pg_current_wal_flush_lsn()')) ?? '';
  await using manifest = await ManifestEnd.open(bench.servers, task.name);
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers, slot: task.slot });
  await using capture = task.start('capture');
  meter.follow('capture', capture.pid);
  await untilTrue(() => manifest.lists(end), { running: [capture] });
  const sample = await meter.stop(backlog.changes);
  await drained(capture);
  bench.say(`capture alone: ${Math.round(rate(sample))} changes/s`);
  return sample;
}

/** From topics that hold everything. */
export async function sinkAlone({ bench, source, task }: Ends, backlog: Backlog): Promise<Sample> {
  const client = await task.destination.connect();
  const sessions = {
    name: 'bench-sessions',
    text: `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice sink%'`,
  };
  await bench.servers.checkpoint();
  await using meter = await Meter.start({ servers: bench.servers });
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
