import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Random } from '../random.ts';
import type { ClientWork } from '../workload.ts';
import { type GeneratedTable, ledger } from './schema.ts';

/** What one step did to the count of changes: known by the server's statistics, or not. */
type Counting = 'counted' | 'uncounted';
type Step = (client: pg.Client, random: Random, table: GeneratedTable) => Promise<Counting>;

const freshNumber = (random: Random) => String(random.integer(1, 2 ** 52));
const anyRow = ({ name }: GeneratedTable) =>
  `(tableoid, ctid) = (SELECT tableoid, ctid FROM ${name} OFFSET floor($1::float8 * (SELECT count(*) FROM ${name})) LIMIT 1)`;

/** Columns that an insert names, an expression for each, and the parameters in them. */
function rowOf(table: GeneratedTable, random: Random, number: string) {
  const names: string[] = [];
  const expressions: string[] = [];
  const values: (string | null)[] = [];
  for (const { name, fresh } of table.key) {
    if (!fresh) continue;
    names.push(name);
    expressions.push(fresh(number));
  }
  // Parameters of a SELECT are text unless said otherwise.
  const give = (name: string, type: string, value: string | null) => {
    names.push(name);
    values.push(value);
    expressions.push(`$${values.length}::text::${type}`);
  };
  if (table.region) give(table.region, 'smallint', String(random.integer(0, 7)));
  for (const { name, type } of table.columns) {
    if (!random.chance(0.1)) give(name, type.sql, random.chance(0.15) ? null : type.value(random));
  }
  for (const { name, table: other, key } of table.references) {
    if (random.chance(0.4)) continue;
    names.push(name);
    expressions.push(`(SELECT ${key} FROM ${other} OFFSET ${random.integer(0, 50)} LIMIT 1)`);
  }
  if (table.unique && random.chance(0.8)) {
    names.push(table.unique);
    expressions.push(number);
  }
  return { names, expressions, values };
}

async function insertRows(client: pg.Client, table: GeneratedTable, row: ReturnType<typeof rowOf>, from = '') {
  if (row.names.length === 0) return await client.query(`INSERT INTO ${table.name} DEFAULT VALUES`);
  const list = `INSERT INTO ${table.name} (${row.names.join(', ')}) SELECT ${row.expressions.join(', ')}`;
  return await client.query(list + from, row.values);
}

const insert: Step = async (client, random, table) => {
  const count = random.integer(1, 5);
  for (let row = 0; row < count; row++) await insertRows(client, table, rowOf(table, random, freshNumber(random)));
  return 'counted';
};

const update: Step = async (client, random, table) => {
  const columns = table.columns.filter(() => random.chance(0.5));
  const sets = columns.map(({ name, type }, index) => `${name} = $${index + 2}::text::${type.sql}`);
  const values = columns.map(({ type }) => (random.chance(0.15) ? null : type.value(random)));
  if (sets.length === 0) sets.push('"n" = "n"');
  await client.query(`UPDATE ${table.name} SET ${sets.join(', ')} WHERE ${anyRow(table)}`, [random.next(), ...values]);
  return 'counted';
};

/** Many rows, and what is stored out of line is left alone. */
const touchMany: Step = async (client, random, { name }) => {
  await client.query(`UPDATE ${name} SET "n" = $1 WHERE "n" % 11 = $2`, [
    random.integer(0, 100),
    random.integer(0, 11),
  ]);
  return 'counted';
};

const hotRow: Step = async (client, random, table) => {
  const row = random.next();
  const times = random.integer(2, 12);
  for (let time = 0; time < times; time++) {
    await client.query(`UPDATE ${table.name} SET "n" = $2 WHERE ${anyRow(table)}`, [row, time]);
  }
  return 'counted';
};

const remove: Step = async (client, random, table) => {
  await client.query(`DELETE FROM ${table.name} WHERE ${anyRow(table)}`, [random.next()]);
  return 'counted';
};

const changeKey: Step = async (client, random, table) => {
  const [first] = table.key;
  if (!first) return await update(client, random, table);
  const value = first.fresh ? first.fresh(freshNumber(random)) : 'DEFAULT';
  await client.query(`UPDATE ${table.name} SET ${first.name} = ${value} WHERE ${anyRow(table)}`, [random.next()]);
  return 'counted';
};

/** 1.50 becomes 1.500: an equal key, written otherwise. */
const rescaleKey: Step = async (client, random, table) => {
  const [first] = table.key;
  if (first?.sql !== 'numeric') return await changeKey(client, random, table);
  const sql = `UPDATE ${table.name} SET ${first.name} = ${first.name} * 1.0 WHERE ${anyRow(table)}`;
  await client.query(sql, [random.next()]);
  return 'counted';
};

/** Two rows change places, by way of a third value. */
async function swap(client: pg.Client, table: GeneratedTable, column: string, between: string): Promise<void> {
  const pick = `SELECT ${column}::text AS value FROM ${table.name} WHERE ${column} IS NOT NULL LIMIT 2`;
  const { rows } = await client.query<{ value: string }>(pick);
  const [one, other] = rows;
  if (!one || !other) return;
  const set = (to: string, where: string) => `UPDATE ${table.name} SET ${column} = ${to} WHERE ${column} = ${where}`;
  await client.query(set(between, '$1'), [one.value]);
  await client.query(set('$2', '$1'), [other.value, one.value]);
  await client.query(set('$1', between), [other.value]);
}

const swapKeys: Step = async (client, random, table) => {
  const [first, second] = table.key;
  if (!first?.fresh || second) return await changeKey(client, random, table);
  await swap(client, table, first.name, first.fresh(freshNumber(random)));
  return 'counted';
};

const swapUnique: Step = async (client, random, table) => {
  if (table.unique) await swap(client, table, table.unique, `-${freshNumber(random)}`);
  return 'counted';
};

/** In one statement: refused unless the constraint is deferrable. */
const swapUniqueAtOnce: Step = async (client, _random, { name, unique }) => {
  if (!unique) return 'counted';
  const pair = `SELECT min(${unique}) AS a, max(${unique}) AS b FROM (SELECT ${unique} FROM ${name} WHERE ${unique} IS NOT NULL LIMIT 2) AS two`;
  const sql = `UPDATE ${name} SET ${unique} = a + b - ${unique} FROM (${pair}) AS pair WHERE ${unique} IN (a, b)`;
  await client.query(sql);
  return 'counted';
};

const moveRegion: Step = async (client, random, table) => {
  if (!table.region) return await update(client, random, table);
  const set = `UPDATE ${table.name} SET ${table.region} = $2::smallint WHERE ${anyRow(table)}`;
  await client.query(set, [random.next(), random.integer(0, 7)]);
  return 'counted';
};

const copyIn: Step = async (client, random, table) => {
  const { columns } = table;
  const keys = table.key.filter(({ fresh }) => fresh);
  // Keys are expressions: only tables whose keys the server makes, or that have none, take COPY.
  if (keys.length > 0 || table.region) return await insert(client, random, table);
  const lines = Array.from({ length: random.integer(1, 40) }, () =>
    columns.map(({ type }) => (random.chance(0.15) ? '\\N' : copyText(type.value(random)))).join('\t'),
  );
  const names = columns.map(({ name }) => name).join(', ');
  const data = Readable.from([Buffer.from(`${lines.join('\n')}\n`)]);
  await pipeline(data, client.query(copyFrom(`COPY ${table.name} (${names}) FROM STDIN`)));
  return 'counted';
};

function copyText(value: string): string {
  const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return value.replaceAll(/[\\\n\r\t]/g, (character) => escapes[character] ?? character);
}

/** More than one batch of capture now and then; what it inserted before goes. */
const bulk: Step = async (client, random, table) => {
  const rows = random.chance(0.2) ? random.integer(4_000, 8_000) : random.integer(50, 1_000);
  const row = rowOf({ ...table, references: [] }, random, `(${freshNumber(random)} + g)`);
  await client.query(`DELETE FROM ${table.name} WHERE (tableoid, ctid) IN
    (SELECT tableoid, ctid FROM ${table.name} OFFSET 300)`);
  await insertRows(client, table, row, ` FROM generate_series(1, ${rows}) g`);
  return 'counted';
};

const truncate: Step = async (client, random, { name }) => {
  await client.query(`TRUNCATE ${name}${random.pick(['', ' RESTART IDENTITY'])} CASCADE`);
  return 'uncounted';
};

/** A subtransaction that fails, and one that does not. */
const subtransactions: Step = async (client, random, { name }) => {
  const number = random.integer(0, 1_000);
  await client.query(`DO $$ BEGIN
    BEGIN UPDATE ${name} SET "n" = ${number} WHERE "n" % 13 = 1; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
    BEGIN UPDATE ${name} SET "n" = ${number} WHERE "n" % 13 = 2; EXCEPTION WHEN division_by_zero THEN NULL; END;
  END $$`);
  return 'uncounted';
};

const rolledBack: Step = async (client, random, table) => {
  await client.query('SAVEPOINT part');
  await random.pick([insert, update, remove, changeKey, touchMany])(client, random, table);
  await client.query('ROLLBACK TO part');
  return 'uncounted';
};

const pause: Step = async (_client, random) => {
  await delay(random.integer(0, 400));
  return 'counted';
};

const steps: readonly (readonly [number, Step])[] = [
  [20, insert],
  [25, update],
  [10, remove],
  [5, touchMany],
  [4, hotRow],
  [8, changeKey],
  [3, rescaleKey],
  [4, swapKeys],
  [5, swapUnique],
  [2, swapUniqueAtOnce],
  [6, moveRegion],
  [4, copyIn],
  [1.5, bulk],
  [0.4, truncate],
  [3, subtransactions],
  [4, rolledBack],
  [4, pause],
];

/** Of this transaction and of earlier ones that the server has not yet reported: only a difference tells. */
const changesSoFar = `SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) AS changes FROM pg_stat_xact_all_tables
  WHERE schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'`;

async function countChanges(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ changes: string }>(changesSoFar);
  return Number(rows[0]?.changes);
}

/** One client of the generated workload: each of its transactions writes the ledger. */
export class GeneratedWork implements ClientWork {
  readonly #tables: readonly GeneratedTable[];
  readonly #client: number;
  #number = 0n;

  constructor(tables: readonly GeneratedTable[], client: number) {
    this.#tables = tables;
    this.#client = client;
  }

  /** What a lost connection left: a prepared transaction is committed, and the ledger says whether the last one was. */
  async begin(client: pg.Client): Promise<void> {
    // What a client left prepared that is not there any more must not block the others for ever.
    await client.query("SET lock_timeout = '5s'");
    const left = 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)';
    const { rows } = await client.query<{ gid: string }>(left, [`client ${this.#client} `]);
    for (const { gid } of rows) await client.query(`COMMIT PREPARED '${gid}'`);
    const last = `SELECT coalesce(max(number), 0) AS last FROM ${ledger.table} WHERE client = $1`;
    this.#number = BigInt((await client.query<{ last: string }>(last, [this.#client])).rows[0]?.last ?? 0);
  }

  async transaction(client: pg.Client, random: Random): Promise<boolean> {
    const plan = Array.from({ length: random.chance(0.8) ? random.integer(1, 5) : random.integer(5, 20) }, () => ({
      step: random.weighted(steps),
      table: random.pick(this.#tables as [GeneratedTable, ...GeneratedTable[]]),
    }));
    const end = random.weighted(ends);
    const own = random.fork();
    await client.query('BEGIN');
    const before = await countChanges(client);
    let counted = true;
    for (const { step, table } of plan) counted = (await step(client, own, table)) === 'counted' && counted;
    const changes = counted ? (await countChanges(client)) - before : null;
    await client.query(`INSERT INTO ${ledger.table} (client, number, changes) VALUES ($1, $2, $3)`, [
      this.#client,
      String(this.#number + 1n),
      changes,
    ]);
    return await this.#end(client, end);
  }

  async #end(client: pg.Client, end: (typeof ends)[number][1]): Promise<boolean> {
    const gid = `client ${this.#client} ${this.#number}`;
    if (end.startsWith('PREPARE')) await client.query(`PREPARE TRANSACTION '${gid}'`);
    const committed = !end.includes('ROLLBACK');
    const last = end.startsWith('PREPARE') ? `${committed ? 'COMMIT' : 'ROLLBACK'} PREPARED '${gid}'` : end;
    await client.query(last);
    if (committed) this.#number += 1n;
    return committed;
  }
}

const ends = [
  [18, 'COMMIT'],
  [1, 'ROLLBACK'],
  [1, 'PREPARE and COMMIT'],
  [0.3, 'PREPARE and ROLLBACK'],
] as const;
