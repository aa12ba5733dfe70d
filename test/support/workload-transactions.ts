import type pg from 'pg';
import type { Random } from './random.ts';

/** One transaction of the load, between BEGIN and COMMIT. */
export type WorkloadTransaction = (client: pg.Client, random: Random) => Promise<void>;

const anyCustomer =
  'SELECT id FROM shop.customers ORDER BY id OFFSET floor($1::float8 * (SELECT count(*) FROM shop.customers)) LIMIT 1';
const anyOrder =
  'SELECT id FROM shop.orders ORDER BY id OFFSET floor($1::float8 * (SELECT count(*) FROM shop.orders)) LIMIT 1';

async function newCustomer(client: pg.Client, random: Random): Promise<void> {
  const email = `${random.text(10)}${random.integer(0, 2 ** 40)}@example.com`;
  const values = [email, random.text(20).slice(0, 60), [random.text(5), null], JSON.stringify({ text: random.text() })];
  const { rows } = await client.query<{ id: string }>(
    'INSERT INTO shop.customers (email, name, tags, profile) VALUES ($1, $2, $3, $4) RETURNING id',
    values,
  );
  await client.query('INSERT INTO shop.accounts (customer_id) VALUES ($1)', [rows[0]?.id]);
}

async function newOrder(client: pg.Client, random: Random): Promise<void> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO shop.orders (id, customer_id, duration, total)
     SELECT md5(random()::text || clock_timestamp())::uuid, (${anyCustomer}), make_interval(days => $2, secs => $3), $4 RETURNING id`,
    [random.next(), random.integer(-5, 50), random.next() * 1e5, random.chance(0.1) ? 'NaN' : String(random.next())],
  );
  const items = random.integer(1, 8);
  for (let number = 1; number <= items; number++) {
    await client.query('INSERT INTO shop."Order Items" VALUES ($1, $2, $3, $4, $5)', [
      rows[0]?.id,
      number,
      random.text(6).slice(0, 8),
      random.integer(1, 100),
      random.integer(0, 100_000) / 100,
    ]);
  }
}

async function advanceOrder(client: pg.Client, random: Random): Promise<void> {
  const status = random.pick(['paid', 'sent', 'odd "label"']);
  await client.query(`UPDATE shop.orders SET status = $2 WHERE id = (${anyOrder})`, [random.next(), status]);
  await client.query(`UPDATE shop."Order Items" SET quantity = quantity + 1 WHERE order_id = (${anyOrder})`, [
    random.next(),
  ]);
}

async function transfer(client: pg.Client, random: Random): Promise<void> {
  const amount = random.integer(1, 10_000) / 10_000;
  const { rows } = await client.query<{ customer_id: string }>(
    'SELECT customer_id FROM shop.accounts ORDER BY hashint8(customer_id + $1) LIMIT 2 FOR UPDATE',
    [random.integer(0, 1_000_000)],
  );
  const [from, to] = rows;
  if (!from || !to) return;
  const move = 'UPDATE shop.accounts SET balance = balance + $2, flags = ~flags WHERE customer_id = $1';
  await client.query(move, [from.customer_id, -amount]);
  await client.query(move, [to.customer_id, amount]);
}

/** The same rows again and again, in one transaction and over many. */
async function hotRow(client: pg.Client, random: Random): Promise<void> {
  const times = random.integer(1, 30);
  for (let time = 0; time < times; time++) {
    await client.query('UPDATE shop.documents SET version = version + 1 WHERE path = $1', ['/doc/1']);
  }
}

async function writeDocument(client: pg.Client, random: Random): Promise<void> {
  const path = `/doc/${random.integer(1, 400)}`;
  const body = random.chance(0.1) ? null : random.text().repeat(random.integer(0, 2_000));
  await client.query(
    'INSERT INTO shop.documents (path, body) VALUES ($1, $2) ON CONFLICT (path) DO UPDATE SET body = excluded.body',
    [path, body],
  );
}

/** Leaves a TOASTed body alone: the WAL does not carry it. */
async function touchDocuments(client: pg.Client, random: Random): Promise<void> {
  const bucket = random.integer(0, 20);
  await client.query(`UPDATE shop.documents SET version = version + 1 WHERE hashtext(path) % 20 = $1`, [bucket]);
}

async function moveDocument(client: pg.Client, random: Random): Promise<void> {
  const path = `/doc/${random.integer(1, 400)}`;
  await client.query(`UPDATE shop.documents SET path = path || '~' WHERE path = $1`, [path]);
  if (random.chance(0.5))
    await client.query('INSERT INTO shop.documents (path, body) VALUES ($1, $2)', [path, 'again']);
}

/** Two rows exchange a unique value in one statement. */
async function swapSeats(client: pg.Client, random: Random): Promise<void> {
  const seat = random.integer(1, 50);
  await client.query('UPDATE shop.customers SET seat = $1 + $2 - seat WHERE seat IN ($1, $2)', [seat, seat + 1]);
}

async function swapEmails(client: pg.Client, random: Random): Promise<void> {
  const { rows } = await client.query<{ id: string; email: string }>(
    'SELECT id, email FROM shop.customers ORDER BY hashint8(id + $1) LIMIT 2 FOR UPDATE',
    [random.integer(0, 1_000_000)],
  );
  const [one, other] = rows;
  if (!one || !other) return;
  const set = 'UPDATE shop.customers SET email = $2 WHERE id = $1';
  await client.query(set, [one.id, `moving ${one.id}`]);
  await client.query(set, [other.id, one.email]);
  await client.query(set, [one.id, other.email]);
}

/** The key changes, and with it, by cascade, that of the account. */
async function renumberCustomer(client: pg.Client, random: Random): Promise<void> {
  const number = 1_000_000 + random.integer(0, 1_000_000_000);
  await client.query(`UPDATE shop.customers SET id = $2 WHERE id = (${anyCustomer})`, [random.next(), number]);
}

async function deleteOrders(client: pg.Client, random: Random): Promise<void> {
  await client.query(`DELETE FROM shop.orders WHERE id = (${anyOrder})`, [random.next()]);
  await client.query(
    'DELETE FROM shop.customers c WHERE id = $1 AND NOT EXISTS (SELECT FROM shop.orders o WHERE o.customer_id = c.id)',
    [random.integer(1, 1_000)],
  );
}

async function writeLog(client: pg.Client, random: Random): Promise<void> {
  const line = random.chance(0.2) ? null : random.text();
  const same = random.integer(1, 4);
  for (let copy = 0; copy < same; copy++) {
    await client.query(`INSERT INTO shop.log VALUES ('2026-01-01 00:00:00.123456+00', 7, $1)`, [line]);
  }
  await client.query(`UPDATE shop.log SET line = line || '!' WHERE ctid = (SELECT min(ctid) FROM shop.log)`);
  if (random.chance(0.5)) await client.query('DELETE FROM shop.log WHERE ctid = (SELECT max(ctid) FROM shop.log)');
}

/** Thousands of events that capture may have to cut. */
async function bulk(client: pg.Client, random: Random): Promise<void> {
  const marker = `bulk ${random.integer(0, 1_000_000)}`;
  const rows = random.integer(500, 5_000);
  await client.query('INSERT INTO shop.readings (sensor, note) SELECT g, $1 FROM generate_series(1, $2::int) g', [
    marker,
    rows,
  ]);
  await client.query('UPDATE shop.readings SET sensor = -sensor WHERE note = $1 AND sensor % 3 = 0', [marker]);
  await client.query('DELETE FROM shop.readings WHERE note = $1 AND sensor % 2 = 0', [marker]);
}

async function partlyRolledBack(client: pg.Client, random: Random): Promise<void> {
  await transfer(client, random);
  await client.query('SAVEPOINT part');
  await newOrder(client, random);
  await client.query('ROLLBACK TO part');
  await touchDocuments(client, random);
}

/** With their weights. */
export const workloadTransactions: readonly (readonly [number, WorkloadTransaction])[] = [
  [10, newCustomer],
  [20, newOrder],
  [15, advanceOrder],
  [20, transfer],
  [3, hotRow],
  [8, writeDocument],
  [4, touchDocuments],
  [4, moveDocument],
  [4, swapSeats],
  [4, swapEmails],
  [3, renumberCustomer],
  [6, deleteOrders],
  [8, writeLog],
  [0.5, bulk],
  [4, partlyRolledBack],
];
