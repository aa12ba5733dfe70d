import { CHANGES_PER_TPCB_TRANSACTION, fillTpcb, runTpcb, tpcbTables } from '../load/tpcb.ts';
import { backlogWorkload } from './backlog.ts';

const TRANSACTIONS = 100_000;
const ROWS = 1_000_000;

/** The same transactions on tables that are all large: hardly a row is changed twice. */
export const drainRandom = backlogWorkload({
  name: 'drain-random',
  title: 'Drain of a backlog with uniformly random keys',
  tables: tpcbTables,
  parts: true,
  describe: ({ scaled }) => `${scaled(TRANSACTIONS)} TPC-B transactions on three tables of ${scaled(ROWS)} rows`,
  fill: (source, { scaled }) => fillTpcb(source, sizeOf(scaled(ROWS))),
  async generate(source, { scaled }) {
    const transactions = scaled(TRANSACTIONS);
    await runTpcb(source, sizeOf(scaled(ROWS)), transactions);
    return transactions * CHANGES_PER_TPCB_TRANSACTION;
  },
});

function sizeOf(rows: number) {
  return { accounts: rows, tellers: rows, branches: rows };
}
