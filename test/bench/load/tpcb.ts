import type { TestDatabase } from '../../support/database.ts';

/** Rows of pgbench's tables. */
export interface TpcbSize {
  readonly accounts: number;
  readonly tellers: number;
  readonly branches: number;
}

/** As pgbench makes them; the history has no key, there as here. */
export const tpcbTables = `
  CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
  CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
  CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
  CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
  ALTER TABLE pgbench_history REPLICA IDENTITY FULL`;

export const CHANGES_PER_TPCB_TRANSACTION = 4;

/** pgbench's `scale`. */
export function tpcbOfScale(scale: number): TpcbSize {
  return { accounts: scale * 100_000, tellers: scale * 10, branches: scale };
}

export async function fillTpcb(database: TestDatabase, { accounts, tellers, branches }: TpcbSize): Promise<void> {
  await database.query(`
    INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, ${branches}) i;
    INSERT INTO pgbench_tellers SELECT i, 1 + i % ${branches}, 0, '' FROM generate_series(1, ${tellers}) i;
    INSERT INTO pgbench_accounts SELECT i, 1 + i % ${branches}, 0, '' FROM generate_series(1, ${accounts}) i`);
}

/** So many committed transactions, each of three updates and an insert. */
export async function runTpcb(
  database: TestDatabase,
  { accounts, tellers, branches }: TpcbSize,
  transactions: number,
): Promise<void> {
  await commitInLoop(
    database,
    transactions,
    `aid := 1 + floor(random() * ${accounts});
     tid := 1 + floor(random() * ${tellers});
     bid := 1 + floor(random() * ${branches});
     delta := floor(random() * 10001) - 5000;
     UPDATE pgbench_accounts a SET abalance = abalance + delta WHERE a.aid = here.aid;
     UPDATE pgbench_tellers t SET tbalance = tbalance + delta WHERE t.tid = here.tid;
     UPDATE pgbench_branches b SET bbalance = bbalance + delta WHERE b.bid = here.bid;
     INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
       VALUES (here.tid, here.bid, here.aid, here.delta, clock_timestamp())`,
    'aid int; tid int; bid int; delta int;',
  );
}

/** Runs the body and commits, so many times; the disk is not waited for. `i` counts from 1. */
export async function commitInLoop(
  database: TestDatabase,
  transactions: number,
  body: string,
  declarations = '',
): Promise<void> {
  await database.query('SET synchronous_commit = off');
  await database.query(`DO $bench$ <<here>> DECLARE ${declarations} BEGIN
    FOR i IN 1..${transactions} LOOP
      ${body};
      COMMIT;
    END LOOP;
  END $bench$`);
  await database.query('RESET synchronous_commit');
}
