import type { TestDatabase } from '../../support/database.ts';
import { fillTpcb, tpcbTables } from '../load/tpcb.ts';
import { backlogWorkload } from './backlog.ts';

const CHANGES = 500_000;
/** The transaction by which the memory is judged. */
const LARGE_CHANGES = 1_000_000;

export const transaction = backlogWorkload({
  name: 'transaction',
  title: 'One transaction of many changes',
  tables: tpcbTables,
  describe: ({ scaled }) =>
    `one UPDATE of ${scaled(CHANGES)} rows of pgbench_accounts; at the end one of ${scaled(LARGE_CHANGES)}, for the memory`,
  fill: (source, { scaled }) => fillTpcb(source, { accounts: scaled(LARGE_CHANGES), tellers: 10, branches: 1 }),
  generate: (source, { scaled }) => update(source, scaled(CHANGES)),
  large: { side: 'sluice, large', generate: (source, { scaled }) => update(source, scaled(LARGE_CHANGES)) },
});

async function update(source: TestDatabase, rows: number): Promise<number> {
  await source.query('VACUUM pgbench_accounts');
  await source.query(`UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid <= ${rows}`);
  return rows;
}
