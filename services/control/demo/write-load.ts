import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { connect, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { isRetryableState, sqlstate } from '../../../shared/postgres/failure.ts';
import type { ShopSize } from './shop.ts';

export interface WriteLoadOptions {
  readonly endpoint: PostgresEndpoint;
  readonly size: ShopSize;
  readonly clients: number;
  /** Of each client. */
  readonly transactionsPerSecond: number;
}

/** Customers who order, pay, return and look around, from several sessions, until stopped. */
export class WriteLoad {
  transactions = 0;
  #failed: unknown = null;
  readonly #stop = new AbortController();
  #running: Promise<void>[] = [];

  static async start(options: WriteLoadOptions): Promise<WriteLoad> {
    const load = new WriteLoad();
    for (let seed = 1; seed <= options.clients; seed++) {
      const client = await connect(options.endpoint, { applicationName: 'shop', end: 'source' });
      await client.query('SET search_path = public');
      load.#running.push(load.#run(client, seed, options));
    }
    return load;
  }

  /** @throws what ended a client before its time */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    if (this.#failed !== null) throw this.#failed;
  }

  async #run(client: pg.Client, seed: number, { size, transactionsPerSecond }: WriteLoadOptions): Promise<void> {
    const random = randomFrom(seed);
    const { signal } = this.#stop;
    let next = performance.now();
    try {
      while (!signal.aborted) {
        await transaction(client, random, size);
        this.transactions += 1;
        next += 1000 / transactionsPerSecond;
        if (next > performance.now())
          await delay(next - performance.now(), undefined, { signal }).catch(() => undefined);
        else next = Math.max(next, performance.now() - 1000);
      }
    } catch (error) {
      this.#failed ??= error;
    } finally {
      await client.end();
    }
  }
}

type Random = (below: number) => number;

/** Deadlocks between the shop's clients are the shop's own business: the transaction is simply lost. */
async function transaction(client: pg.Client, random: Random, size: ShopSize): Promise<void> {
  const kinds = [order, order, order, payAndShip, payAndShip, changeCustomer, restock, lookAround, returnOrder];
  const kind = kinds[random(kinds.length)] ?? order;
  try {
    await client.query('BEGIN');
    await kind(client, random, size);
    await client.query(random(50) === 0 ? 'ROLLBACK' : 'COMMIT');
  } catch (error) {
    if (!isRetryableState(sqlstate(error) ?? '')) throw error;
    await client.query('ROLLBACK');
  }
}

async function order(client: pg.Client, random: Random, size: ShopSize): Promise<void> {
  const note = random(5) === 0 ? 'x'.repeat(3000 + random(9000)) : null;
  const { rows } = await client.query<{ id: string }>(
    'INSERT INTO orders (customer_id, note) VALUES ($1, $2) RETURNING id',
    [1 + random(size.customers), note],
  );
  const id = rows[0]?.id;
  await client.query(
    `INSERT INTO order_items (order_id, line, product_id, quantity, price)
     SELECT $1::bigint, line, 1 + ($2 + line * 37) % $3, 1 + line % 3, 5 + line / 3.0 FROM generate_series(1, $4::int) AS line`,
    [id, random(size.products), size.products, 1 + random(5)],
  );
  await client.query(
    'UPDATE orders SET total = (SELECT sum(amount) FROM order_items WHERE order_id = $1::bigint) WHERE id = $1::bigint',
    [id],
  );
}

async function payAndShip(client: pg.Client, random: Random, size: ShopSize): Promise<void> {
  const id = 1 + random(size.orders);
  await client.query(
    `INSERT INTO payments (id, order_id, paid_at, amount, method)
     SELECT gen_random_uuid(), id, clock_timestamp(), total, 'card' FROM orders WHERE id = $1`,
    [id],
  );
  await client.query(`UPDATE orders SET state = 'shipped', shipped_on = current_date WHERE id = $1`, [id]);
}

async function changeCustomer(client: pg.Client, random: Random, size: ShopSize): Promise<void> {
  await client.query(
    `UPDATE customers SET credit = credit + $2::numeric / 100, address = address || jsonb_build_object('moved', $2::int),
       interests = array_append(interests, 'visit ' || $2::int) WHERE id = $1`,
    [1 + random(size.customers), random(100_000)],
  );
}

async function restock(client: pg.Client, random: Random, size: ShopSize): Promise<void> {
  const from = 1 + random(size.products);
  await client.query(
    `UPDATE products SET stock = stock + 10, price = price * 1.01
     WHERE id IN (SELECT id FROM products WHERE id BETWEEN $1 AND $2 ORDER BY id FOR UPDATE)`,
    [from, from + random(20)],
  );
}

async function lookAround(client: pg.Client, random: Random): Promise<void> {
  await client.query(
    `INSERT INTO events (kind, took, payload)
     SELECT 'view', n * interval '3 ms', jsonb_build_object('page', n, 'load', true) FROM generate_series(1, $1::int) AS n`,
    [1 + random(10)],
  );
}

async function returnOrder(client: pg.Client, random: Random, size: ShopSize): Promise<void> {
  if (random(3) === 0) await client.query('DELETE FROM orders WHERE id = $1', [1 + random(size.orders)]);
  else await client.query('DELETE FROM events WHERE id = $1', [1 + random(size.orders)]);
}

/** Mulberry32: the same seed gives the same numbers. */
function randomFrom(seed: number): Random {
  let state = seed * 0x9e3779b9;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
