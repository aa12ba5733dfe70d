import type { TestDatabase } from '../../support/database.ts';
import { commitInLoop } from './tpcb.ts';

/** Of each table, before the first change. */
const ROWS = 100;

export async function createManyTables(database: TestDatabase, tables: number, rows = ROWS): Promise<void> {
  await commitInLoop(
    database,
    tables,
    `EXECUTE format('CREATE TABLE many%s (id int PRIMARY KEY, value int NOT NULL, note text)', i);
     EXECUTE format('INSERT INTO many%s SELECT n, 0, md5(n::text) FROM generate_series(1, ${rows}) n', i)`,
  );
}

/** An update and an insert of each table, so that both statements are known. */
export async function touchManyTables(source: TestDatabase, tables: number): Promise<void> {
  await commitInLoop(
    source,
    tables,
    `EXECUTE format('UPDATE many%s SET value = value + 1 WHERE id = 1', i);
     EXECUTE format('INSERT INTO many%1$s SELECT min(id) - 1, 0, md5('''') FROM many%1$s', i)`,
  );
}

/** Three updates and an insert a transaction, each in a table at random. */
export async function runManyTables(source: TestDatabase, tables: number, transactions: number): Promise<number> {
  const table = `1 + floor(random() * ${tables})::int`;
  const update = `EXECUTE format('UPDATE many%s SET value = value + 1 WHERE id = $1', ${table})
    USING 1 + floor(random() * ${ROWS})::int`;
  const highest = Math.floor(Number(await source.value(`SELECT nextval('bench_many')`))) * transactions + ROWS;
  const insert = `EXECUTE format('INSERT INTO many%s VALUES ($1, 0, md5($1::text))', ${table}) USING i + ${highest}`;
  await commitInLoop(source, transactions, [update, update, update, insert].join('; '));
  return transactions * 4;
}
