import type { TestDatabase } from '../../support/database.ts';
import { commitInLoop } from './tpcb.ts';

export interface ManyTables {
  readonly tables: number;
  /** Of each table, before the first change. */
  readonly rows: number;
}

export async function createManyTables(database: TestDatabase, { tables, rows }: ManyTables): Promise<void> {
  await commitInLoop(
    database,
    tables,
    `EXECUTE format('CREATE TABLE many%s (id int PRIMARY KEY, value int NOT NULL, note text)', i);
     EXECUTE format('INSERT INTO many%s SELECT n, 0, md5(n::text) FROM generate_series(1, ${rows}) n', i)`,
  );
}

/** An update and an insert of each table, so that both statements are known. */
export async function touchManyTables(source: TestDatabase, { tables }: ManyTables): Promise<void> {
  await commitInLoop(
    source,
    tables,
    `EXECUTE format('UPDATE many%s SET value = value + 1 WHERE id = 1', i);
     EXECUTE format('INSERT INTO many%1$s SELECT min(id) - 1, 0, md5('''') FROM many%1$s', i)`,
  );
}

/** Three updates and an insert a transaction, each in a table at random. Returns the number of changes. */
export async function runManyTables(
  source: TestDatabase,
  { tables, rows }: ManyTables,
  transactions: number,
): Promise<number> {
  const table = `1 + floor(random() * ${tables})::int`;
  const update = `EXECUTE format('UPDATE many%s SET value = value + 1 WHERE id = $1', ${table})
    USING 1 + floor(random() * ${rows})::int`;
  const highest = Math.floor(Number(await source.value(`SELECT nextval('bench_many')`))) * transactions + rows;
  const insert = `EXECUTE format('INSERT INTO many%s VALUES ($1, 0, md5($1::text))', ${table}) USING i + ${highest}`;
  await commitInLoop(source, transactions, [update, update, update, insert].join('; '));
  return transactions * 4;
}
