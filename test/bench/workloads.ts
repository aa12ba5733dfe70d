import type { Workload } from './bench.ts';
import { cloud } from './workloads/cloud.ts';
import { drainRandom } from './workloads/drain-random.ts';
import { drainTpcb } from './workloads/drain-tpcb.ts';
import { growthChanges, growthChanges10m } from './workloads/growth-changes.ts';
import { growthTables } from './workloads/growth-tables.ts';
import { latency } from './workloads/latency.ts';
import { snapshot } from './workloads/snapshot.ts';
import { transaction } from './workloads/transaction.ts';

/** In the order of their running. */
export const workloads: readonly Workload[] = [
  snapshot,
  drainTpcb,
  drainRandom,
  transaction,
  cloud,
  latency,
  growthTables,
  growthChanges,
  growthChanges10m,
];
