import * as aims from './aims.ts';
import type { Outcome, SamplesBySide } from './bench.ts';
import { rate, type Sample, spread } from './measure/sample.ts';

/** Something measured against what is asked for. */
export interface Check {
  readonly workload: string;
  readonly what: string;
  readonly unit: string;
  /** Judged by their median. */
  readonly values: readonly number[];
  readonly better: 'more' | 'less';
  readonly aim: number;
  readonly floor: number;
}

export type Verdict = 'met' | 'aim missed' | 'below the floor';

export function verdictOf({ values, better, aim, floor }: Check): Verdict {
  // As it is printed, so that nobody reads 1.00 and finds it missed.
  const median = Math.round(spread(values).median * 100) / 100;
  const reaches = (wanted: number) => (better === 'more' ? median >= wanted : median <= wanted);
  if (!reaches(floor)) return 'below the floor';
  return reaches(aim) ? 'met' : 'aim missed';
}

/** All that is asked of a workload. */
export function checksOf(workload: string, outcome: Pick<Outcome, 'samples' | 'figures'>): Check[] {
  return [
    ...ratioChecks(workload, outcome.samples),
    ...rateChecks(workload, outcome.samples),
    ...figureChecks(workload, outcome),
    ...residentChecks(workload, outcome.samples),
    ...sourceCpuChecks(workload, outcome.samples),
    ...walChecks(workload, outcome.samples),
  ];
}

export function ratioChecks(workload: string, samples: SamplesBySide): Check[] {
  return aims.ratios.flatMap(({ workload: of, side, baseline, aim, floor }) => {
    const values = of === workload ? perRound(samples, side, baseline, rate) : [];
    return check({ workload, what: `${side} / ${baseline}`, unit: '', values, better: 'more', aim, floor });
  });
}

function rateChecks(workload: string, samples: SamplesBySide): Check[] {
  return aims.rates.flatMap(({ workload: of, side, atLeast }) => {
    const values = of === workload ? (samples[side] ?? []).map(rate) : [];
    return check({ workload, what: side, unit: 'changes/s', values, better: 'more', aim: atLeast, floor: atLeast });
  });
}

function figureChecks(workload: string, { figures }: Pick<Outcome, 'figures'>): Check[] {
  return aims.figures.flatMap(({ workload: of, figure, atMost }) => {
    const found = of === workload ? figures.find(({ name }) => name === figure) : undefined;
    return atMostCheck(workload, figure, found?.unit ?? '', found?.values ?? [], atMost);
  });
}

function residentChecks(workload: string, samples: SamplesBySide): Check[] {
  const all = Object.values(samples).flat();
  return aims.resident.processes.flatMap((process) => {
    const peaks = all.flatMap(({ peak }) => peak[process] ?? []);
    return atMostCheck(workload, `${process} resident`, 'MiB', largest(peaks), aims.resident.atMostMib);
  });
}

function sourceCpuChecks(workload: string, samples: SamplesBySide): Check[] {
  if (!aims.sourceCpu.workloads.some((name) => name === workload)) return [];
  const cost = ({ cpu, units }: Sample) => (cpu['source'] ?? 0) / units;
  const values = perRound(samples, 'sluice', 'native', cost);
  const { aim, floor } = aims.sourceCpu;
  return check({ workload, what: 'CPU of the source, sluice / native', unit: '', values, better: 'less', aim, floor });
}

function walChecks(workload: string, samples: SamplesBySide): Check[] {
  const limit = aims.wal.atMostMib;
  const use = (side: string) => (samples[side] ?? []).flatMap(({ wal }) => wal ?? []);
  const kept = aims.wal.kept.filter(({ workload: of }) => of === workload);
  const unacknowledged = aims.wal.unacknowledged.filter(({ workload: of }) => of === workload);
  return [
    ...kept.flatMap(({ side }) => {
      const values = largest(use(side).map((each) => each.kept));
      return atMostCheck(workload, `WAL kept for the slot, ${side}`, 'MiB', values, limit);
    }),
    ...unacknowledged.flatMap(({ side }) => {
      const sent = (of: string) => largest(use(of).map((each) => each.unacknowledged));
      const floor = Math.max(limit, ...sent('native'), ...sent('native again'));
      const what = `WAL sent and not acknowledged, ${side}`;
      return check({ workload, what, unit: 'MiB', values: sent(side), better: 'less', aim: limit, floor });
    }),
  ];
}

function perRound(samples: SamplesBySide, side: string, baseline: string, of: (sample: Sample) => number): number[] {
  const against = samples[baseline] ?? [];
  return (samples[side] ?? []).flatMap((sample, round) => {
    const other = against[round];
    return other ? of(sample) / of(other) : [];
  });
}

function largest(values: readonly number[]): number[] {
  return values.length > 0 ? [Math.max(...values)] : [];
}

function atMostCheck(workload: string, what: string, unit: string, values: readonly number[], limit: number): Check[] {
  return check({ workload, what, unit, values, better: 'less', aim: limit, floor: limit });
}

/** What was not measured is not judged. */
function check(one: Check): Check[] {
  return one.values.length > 0 ? [one] : [];
}
