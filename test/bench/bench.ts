import type { Sample } from './measure/sample.ts';
import type { BenchServers } from './servers.ts';

/** What a workload is given. */
export interface Bench {
  readonly servers: BenchServers;
  readonly rounds: number;
  /** Where profiles of its services go; null: none are asked for. */
  readonly profileDir: string | null;
  /** A size at scale 1, shrunk as the run asks for. */
  scaled(count: number): number;
  say(text: string): void;
}

/** A number that is no rate. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** One of each round. */
  readonly values: readonly number[];
}

export interface Outcome {
  /** What was done, in a sentence, with the sizes of this run. */
  readonly description: string;
  /** Of what the rates are. */
  readonly unit: 'rows' | 'changes';
  /** By side; of one length, a sample for each round. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
  readonly figures: readonly Figure[];
}

export interface Workload {
  readonly name: string;
  readonly title: string;
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

/** Takes the steps one after the other, in turns from the first and from the last. */
export async function interleaved(round: number, steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of round % 2 === 0 ? steps : steps.toReversed()) await step();
}
