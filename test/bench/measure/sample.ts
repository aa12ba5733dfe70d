/** What one side took for one timed piece of work. */
export interface Sample {
  readonly seconds: number;
  /** Rows or row changes that were moved. */
  readonly units: number;
  /** Seconds until it read from the source, or from Kafka: start of processes, catalogs, registry, locks. */
  readonly startSeconds: number | null;
  /** Seconds of CPU, by process. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Of `cpu`, what was spent before `startSeconds`; only of what the side started itself. */
  readonly startCpu: Readonly<Record<string, number>>;
  /** MiB resident at most, by process; of PostgreSQL what its processes do not share, when it was done. */
  readonly peak: Readonly<Record<string, number>>;
  /** Of the slot, where there is one. */
  readonly wal: WalUse | null;
}

export interface WalUse {
  /** MiB of WAL that the source kept for the slot, at most. */
  readonly kept: number;
  /** MiB sent and not acknowledged, at most. */
  readonly unacknowledged: number;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) };
}

export function rate({ units, seconds }: Pick<Sample, 'units' | 'seconds'>): number {
  return units / seconds;
}
