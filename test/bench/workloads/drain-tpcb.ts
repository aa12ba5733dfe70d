import { CHANGES_PER_TPCB_TRANSACTION, fillTpcb, runTpcb, tpcbOfScale, tpcbTables } from '../load/tpcb.ts';
import { backlogWorkload } from './backlog.ts';

const TRANSACTIONS = 100_000;
const SCALE = 10;

export const drainTpcb = backlogWorkload({
  name: 'drain-tpcb',
  title: 'Drain of a TPC-B backlog',
  tables: tpcbTables,
  parts: true,
  describe: ({ scaled }) => `${scaled(TRANSACTIONS)} TPC-B transactions at pgbench's scale ${SCALE}`,
  fill: (source) => fillTpcb(source, tpcbOfScale(SCALE)),
  async generate(source, { scaled }) {
    const transactions = scaled(TRANSACTIONS);
    await runTpcb(source, tpcbOfScale(SCALE), transactions);
    return transactions * CHANGES_PER_TPCB_TRANSACTION;
  },
});
