/**
 * What the benchmark asks for. An aim that is missed is reported with a profile; below a floor the run fails. Where no
 * floor is named the limit is both. Workloads and sides by the names that they have.
 */

/** Rate of a side over the rate of its baseline, in the same round. */
export const ratios = [
  { workload: 'snapshot', side: 'sluice', baseline: 'copy', aim: 1.0, floor: 0.6 },
  { workload: 'drain-tpcb', side: 'sluice', baseline: 'native', aim: 1.0, floor: 0.5 },
  { workload: 'drain-tpcb', side: 'capture alone', baseline: 'native again', aim: 1.0, floor: 0.7 },
  { workload: 'drain-tpcb', side: 'sink alone', baseline: 'native again', aim: 1.3, floor: 0.8 },
  { workload: 'drain-random', side: 'sluice', baseline: 'native', aim: 0.8, floor: 0.4 },
  { workload: 'drain-random', side: 'capture alone', baseline: 'native again', aim: 1.0, floor: 0.7 },
  { workload: 'drain-random', side: 'sink alone', baseline: 'native again', aim: 1.3, floor: 0.8 },
  { workload: 'transaction', side: 'sluice', baseline: 'native', aim: 1.0, floor: 0.5 },
  { workload: 'growth-tables', side: '1000 tables', baseline: '10 tables', aim: 0.5, floor: 0.5 },
] as const;

/** Changes a second. */
export const rates = [{ workload: 'cloud', side: 'sluice', atLeast: 25_000 }] as const;

/** Figures by name, in their own units. */
export const figures = [
  { workload: 'latency', figure: 'sluice p50', atMost: 15 },
  { workload: 'latency', figure: 'sluice p99', atMost: 50 },
  { workload: 'latency', figure: 'sluice p50 during a snapshot', atMost: 30 },
  { workload: 'latency', figure: 'sluice p99 during a snapshot', atMost: 100 },
  { workload: 'growth-tables', figure: 'first start, 1000 tables', atMost: 30 },
  { workload: 'growth-tables', figure: 'started again, 1000 tables', atMost: 30 },
  { workload: 'growth-changes', figure: 'status, after / before', atMost: 1.5 },
  { workload: 'growth-changes', figure: 'started again, after / before', atMost: 1.5 },
  { workload: 'growth-changes-10m', figure: 'status, after / before', atMost: 1.5 },
  { workload: 'growth-changes-10m', figure: 'started again, after / before', atMost: 1.5 },
] as const;

/** In every workload; the largest of all rounds. */
export const resident = { processes: ['capture', 'sink'], atMostMib: 256 } as const;

/**
 * CPU of the source for a row or change, over what native replication takes for it there. Two runs of native replication
 * differ by as much as the floor allows.
 */
export const sourceCpu = {
  workloads: ['snapshot', 'drain-tpcb', 'drain-random', 'transaction', 'cloud'],
  aim: 1.0,
  floor: 1.2,
} as const;

/**
 * WAL that the slot keeps at the source, the largest of all rounds: all of it while rows are read; of a backlog, which
 * is there before anything runs, what was sent and is not acknowledged yet. Of that the buffers of a socket hold some
 * megabytes of changes, which stand for any amount of WAL where it is full of page images: the floor is what native
 * replication leaves in the same run.
 */
export const wal = {
  kept: [
    { workload: 'snapshot', side: 'sluice' },
    { workload: 'snapshot', side: 'sluice, written to' },
  ],
  unacknowledged: [
    { workload: 'drain-tpcb', side: 'sluice' },
    { workload: 'drain-random', side: 'sluice' },
    { workload: 'cloud', side: 'sluice' },
  ],
  atMostMib: 64,
} as const;
