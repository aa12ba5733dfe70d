/** What the issue of the benchmark asks for: a missed aim is reported, a missed floor fails the run. */

export interface RatioAim {
  readonly workload: string;
  /** Rate of this side ... */
  readonly side: string;
  /** ... over the rate of that one, in the same round. */
  readonly baseline: string;
  readonly aim: number;
  readonly floor: number;
}

export const ratioAims: readonly RatioAim[] = [
  { workload: 'snapshot', side: 'sluice', baseline: 'copy', aim: 1.0, floor: 0.6 },
  { workload: 'drain-tpcb', side: 'sluice', baseline: 'native', aim: 1.0, floor: 0.5 },
  { workload: 'drain-tpcb', side: 'capture alone', baseline: 'native again', aim: 1.0, floor: 0.7 },
  { workload: 'drain-tpcb', side: 'sink alone', baseline: 'native again', aim: 1.3, floor: 0.8 },
  { workload: 'drain-random', side: 'sluice', baseline: 'native', aim: 0.8, floor: 0.4 },
  { workload: 'drain-random', side: 'capture alone', baseline: 'native again', aim: 1.0, floor: 0.7 },
  { workload: 'drain-random', side: 'sink alone', baseline: 'native again', aim: 1.3, floor: 0.8 },
];
