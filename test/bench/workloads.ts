import type { Workload } from './bench.ts';
import { cloud } from './workloads/cloud.ts';
import { drainRandom } from './workloads/drain-random.ts';
import { drainTpcb } from './workloads/drain-tpcb.ts';
import { snapshot } from './workloads/snapshot.ts';
import { transaction } from './workloads/transaction.ts';

/** In the order of their running. */
export const workloads: readonly Workload[] = [snapshot, drainTpcb, drainRandom, transaction, cloud];
