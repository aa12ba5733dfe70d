import type { TestDatabase } from '../../support/database.ts';
import { commitInLoop } from './tpcb.ts';

const TABLES = 20;
/** Of each table, before the first change. */
const ROWS = 2_000;
/** insert : update : delete = 3 : 1 : 2. */
export const CHANGES_PER_CYCLE = 6;

const body = `repeat(md5(random()::text), 30)`;
const numbers = Array.from({ length: TABLES }, (_, index) => index + 1);

export const cloudTables = numbers
  .map(
    (n) => `CREATE TABLE cloud${n} (id bigint PRIMARY KEY, kind int, amount numeric(12,2), at timestamptz, body text)`,
  )
  .join(';');

export async function fillCloud(source: TestDatabase): Promise<void> {
  const values = `SELECT i, i % 7, i / 3.0, now(), ${body} FROM generate_series(1, ${ROWS}) i`;
  await source.query(numbers.map((n) => `INSERT INTO cloud${n} ${values}`).join(';'));
}

/** Three transactions of two changes a cycle, on tables taken in turns; the oldest row is deleted. */
export async function runCloud(source: TestDatabase, cycles: number): Promise<void> {
  const insert = (n: number) =>
    `INSERT INTO cloud${n} SELECT max(id) + 1, i, i / 3.0, clock_timestamp(), ${body} FROM cloud${n}`;
  const update = (n: number) => `UPDATE cloud${n} SET amount = amount + 1, body = ${body}
    WHERE id = (SELECT min(id) + (random() * ${ROWS / 2})::int FROM cloud${n})`;
  const remove = (n: number) => `DELETE FROM cloud${n} WHERE id = (SELECT min(id) FROM cloud${n})`;
  const pair = (n: number) => {
    const [one, other] = [n, 1 + (n % TABLES)];
    return `${insert(one)}; ${remove(other)}; COMMIT; ${insert(other)}; ${update(one)}; COMMIT; ${insert(one)}; ${remove(one)}`;
  };
  const branches = numbers.map((n) => `WHEN ${n} THEN ${pair(n)};`).join('\n');
  await commitInLoop(source, cycles, `CASE 1 + i % ${TABLES} ${branches} END CASE`);
}
