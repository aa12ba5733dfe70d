import type { Profiles } from './measure/profile.ts';
import type { Sample } from './measure/sample.ts';
import type { BenchServers } from './servers.ts';

/** What a workload is given. */
export interface Bench {
  readonly servers: BenchServers;
  readonly rounds: number;
  /** A size at scale 1, shrunk as the run asks for. */
  scaled(count: number): number;
  /** Where profiles go, when what was measured or the user asks for another pass under a profiler. */
  profileDir(samples: SamplesBySide, figures?: readonly Figure[]): string | null;
  say(text: string): void;
}

/** A number that is no rate. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** One of each round, or of the whole. */
  readonly values: readonly number[];
}

export type SamplesBySide = Readonly<Record<string, readonly Sample[]>>;

export interface Outcome {
  /** What was done, in a sentence, with the sizes of this run. */
  readonly description: string;
  /** Of what the rates are. */
  readonly unit: 'rows' | 'changes';
  /** A sample for each round; a side that is measured once has one. */
  readonly samples: SamplesBySide;
  readonly figures: readonly Figure[];
  /** Of another pass, where one was asked for. */
  readonly profiles: Profiles;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** Run only when it is named. */
  readonly onDemand?: true;
  run(bench: Bench): Promise<Outcome>;
}

/** Collects samples by side. */
export class Samples {
  readonly all: Record<string, Sample[]> = {};

  add(side: string, sample: Sample): void {
    this.all[side] ??= [];
    this.all[side].push(sample);
  }
}

/** Collects figures by name. */
export class Figures {
  readonly #all = new Map<string, { name: string; unit: string; values: number[] }>();

  add(name: string, unit: string, value: number): void {
    const figure = this.#all.get(name) ?? { name, unit, values: [] };
    figure.values.push(value);
    this.#all.set(name, figure);
  }

  get all(): readonly Figure[] {
    return [...this.#all.values()];
  }
}

/** Takes the steps one after the other, in turns from the first and from the last. */
export async function interleaved(round: number, steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of round % 2 === 0 ? steps : steps.toReversed()) await step();
}
