import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Row, TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import { Random } from './random.ts';

const ACCOUNTS = 6_000;
const PURSES = 60;

/**
 * Money moves between accounts, which refer to a branch, and purses, of which some are equal rows without a key. Each
 * transfer counts itself in one row and writes that number: the numbers are without gaps in commit order.
 */
const schema = `
  CREATE TABLE branch (id int PRIMARY KEY);
  CREATE TABLE account (id int PRIMARY KEY, branch int NOT NULL REFERENCES branch, balance bigint NOT NULL);
  CREATE TABLE purse (holder int, amount bigint);
  ALTER TABLE purse REPLICA IDENTITY FULL;
  CREATE TABLE counter (transfers bigint NOT NULL, id int PRIMARY KEY);
  CREATE TABLE transfer (number bigint PRIMARY KEY);
  INSERT INTO branch SELECT generate_series(0, 9);
  INSERT INTO account SELECT g, g % 10, 1000 FROM generate_series(1, ${ACCOUNTS}) g;
  INSERT INTO purse SELECT g % 7, 50 FROM generate_series(1, ${PURSES}) g;
  INSERT INTO counter VALUES (0, 1)`;

/** Between two transfers of a client, and between two looks: what is tested needs the machine too. */
const PAUSE_MS = 5;

const TOTAL = ACCOUNTS * 1_000 + PURSES * 50;

const move = 'UPDATE account SET balance = balance + $2 WHERE id = $1';
const put = 'UPDATE purse SET amount = amount + $2 WHERE ctid = (SELECT ctid FROM purse WHERE holder = $1 LIMIT 1)';
/** More changes than one batch holds. */
const everyone = 'UPDATE account SET balance = balance + CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END';
const number = `WITH counted AS (UPDATE counter SET transfers = transfers + 1 RETURNING transfers)
  INSERT INTO transfer SELECT transfers FROM counted`;

export async function createBank(source: TestDatabase): Promise<void> {
  await source.query(schema);
}

/** Clients that move money until stopped. */
export class Transfers implements AsyncDisposable {
  readonly #clients: Promise<void>[];
  #stopped = false;
  committed = 0;

  constructor(source: TestDatabase, { seed, clients }: { readonly seed: number; readonly clients: number }) {
    this.#clients = Array.from({ length: clients }, (_, index) => this.#run(source, new Random(seed + index)));
  }

  /** Waits for so many more. */
  async progress(transfers: number): Promise<void> {
    const wanted = this.committed + transfers;
    await Promise.race([
      eventually(() => this.committed >= wanted, { timeoutMs: 120_000 }),
      Promise.all(this.#clients),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(source: TestDatabase, random: Random): Promise<void> {
    const client = await source.connect();
    try {
      while (!this.#stopped) {
        await client.query('BEGIN');
        // The counter first: whoever has it works alone, so that clients do not meet in other rows.
        await client.query(number);
        await transfer(client, random);
        await client.query('COMMIT');
        this.committed++;
        await delay(PAUSE_MS);
      }
    } finally {
      await client.end();
    }
  }
}

async function transfer(client: pg.Client, random: Random): Promise<void> {
  const amount = random.integer(1, 100);
  const account = () => random.integer(1, ACCOUNTS + 1);
  const kind = random.next();
  if (kind < 0.01) {
    await client.query(everyone);
  } else if (kind < 0.5) {
    await client.query(move, [account(), -amount]);
    await client.query(move, [account(), amount]);
  } else {
    await client.query(move, [account(), -amount]);
    await client.query(put, [random.integer(0, 7), amount]);
  }
}

const look = {
  money: 'SELECT (SELECT sum(balance) FROM account) + (SELECT sum(amount) FROM purse) AS money',
  transfers:
    'SELECT (SELECT transfers FROM counter) AS counted, count(*) AS written, coalesce(max(number), 0) AS last FROM transfer',
} as const;

/** True once all tables are loaded; in one snapshot with the rows. */
const streaming = `SELECT phase = 'incremental data migration' AS yes FROM sluice.sink`;

/** Looks at the destination again and again, from the first moment that the stream is applied. */
export class Auditor implements AsyncDisposable {
  readonly #run: Promise<void>;
  readonly #problems: string[] = [];
  readonly #states = new Set<string>();
  #stopped = false;
  #last = 0n;
  looks = 0;

  /** `repeatable read`: several statements of one snapshot; else one statement. */
  constructor(destination: TestDatabase, isolation: 'read committed' | 'repeatable read') {
    this.#run = this.#look(destination, isolation);
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Different numbers of transfers that were seen. */
  get states(): number {
    return this.#states.size;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#run;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #look(destination: TestDatabase, isolation: string): Promise<void> {
    const client = await destination.connect();
    try {
      while (!this.#stopped) {
        this.#judge(await read(client, isolation));
        await delay(PAUSE_MS);
      }
    } finally {
      await client.end();
    }
  }

  #judge(seen: Row | null): void {
    if (!seen) return;
    this.looks++;
    const counted = BigInt(seen['counted'] ?? -1);
    this.#states.add(String(counted));
    if (seen['money'] !== String(TOTAL)) this.#problems.push(`${seen['money']} in all after ${counted} transfers`);
    if (seen['written'] !== seen['counted'] || seen['last'] !== seen['counted']) {
      this.#problems.push(`${counted} transfers counted, ${seen['written']} written, up to ${seen['last']}`);
    }
    if (counted < this.#last) this.#problems.push(`${counted} transfers after ${this.#last}`);
    this.#last = counted;
  }
}

/** null: not yet. */
async function read(client: pg.Client, isolation: string): Promise<Row | null> {
  const { rows: ready } = await client.query<Row>(`SELECT to_regclass('sluice.sink') IS NOT NULL AS yes`);
  if (ready[0]?.['yes'] !== 't') return null;
  if (isolation === 'read committed') {
    const one = `SELECT * FROM (${streaming}) s, (${look.money}) m, (${look.transfers}) t`;
    const phase = await client.query<Row>(streaming);
    return phase.rows[0]?.['yes'] === 't' ? ((await client.query<Row>(one)).rows[0] ?? null) : null;
  }
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const phase = await client.query<Row>(streaming);
  const rows: Row[] = [];
  if (phase.rows[0]?.['yes'] === 't') {
    for (const sql of [look.transfers, look.money]) rows.push(...(await client.query<Row>(sql)).rows);
  }
  await client.query('COMMIT');
  return rows.length > 0 ? Object.assign({}, ...rows) : null;
}
