import { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type Bench, interleaved, type Outcome, Samples, type Workload } from '../bench.ts';
import { markerTable, setMarker } from '../load/marker.ts';
import { type Profiles, profilesOf } from '../measure/profile.ts';
import { type Backlog, captureAlone, drainNative, drainWhole, sinkAlone } from '../sides/drains.ts';
import { type Ends, prepareEnds } from '../sides/ends.ts';

/** Commits changes; gives their number. */
export type Generate = (source: TestDatabase, bench: Bench) => Promise<number>;

export interface BacklogOptions {
  readonly name: string;
  readonly title: string;
  readonly tables: string;
  describe(bench: Bench): string;
  fill(source: TestDatabase, bench: Bench): Promise<void>;
  readonly generate: Generate;
  /** Also capture alone and then sink alone, on a second backlog of each round. */
  readonly parts?: true;
  /** At the end, drained by Sluice alone, to see the memory that it takes. */
  readonly large?: { readonly side: string; readonly generate: Generate };
}

/**
 * A backlog of changes that waits at the source, drained by Sluice and by native logical replication, each with a
 * slot and a destination of its own; both were caught up before. The clock runs from the start of the side until the
 * last change is visible at its destination; then the rows are compared.
 */
export function backlogWorkload(options: BacklogOptions): Workload {
  return { name: options.name, title: options.title, run: (bench) => runBacklog(options, bench) };
}

async function runBacklog(options: BacklogOptions, bench: Bench): Promise<Outcome> {
  await using cleanup = new Cleanup();
  const ends = await prepareEnds(bench, cleanup, {
    name: options.name,
    tables: `${options.tables}; ${markerTable}`,
    fill: (source) => options.fill(source, bench),
  });
  const samples = new Samples();
  for (let round = 0; round < bench.rounds; round++) {
    const whole = await generated(options.generate, ends);
    await interleaved(round, [
      async () => samples.add('native', await drainNative(ends, whole)),
      async () => samples.add('sluice', await drainWhole(ends, whole)),
    ]);
    if (!options.parts) continue;
    const parts = await generated(options.generate, ends);
    await interleaved(round, [
      async () => samples.add('native again', await drainNative(ends, parts)),
      async () => {
        samples.add('capture alone', await captureAlone(ends, parts));
        samples.add('sink alone', await sinkAlone(ends, parts));
      },
    ]);
  }
  const { large } = options;
  if (large) samples.add(large.side, await drainWhole(ends, await generated(large.generate, ends)));
  const profileDir = bench.profileDir(samples.all);
  const profiles = profileDir === null ? {} : await profiled(options, ends, profileDir);
  return { description: options.describe(bench), unit: 'changes', samples: samples.all, figures: [], profiles };
}

async function profiled({ generate }: BacklogOptions, ends: Ends, profileDir: string): Promise<Profiles> {
  const { startSeconds } = await drainWhole(ends, await generated(generate, ends), profileDir);
  return profilesOf(profileDir, startSeconds ?? 0);
}

async function generated(generate: Generate, { bench, source }: Ends): Promise<Backlog> {
  const began = performance.now();
  const changes = await generate(source, bench);
  const marker = await setMarker(source);
  bench.say(`${changes} changes made in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return { changes, marker };
}
