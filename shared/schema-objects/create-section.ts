import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { SchemaSection } from '../envelope/schema-object.ts';
import { isRetryableState, sqlstate } from '../postgres/failure.ts';
import { quoteLiteral, tableKey } from '../postgres/identifiers.ts';
import { creatorSettings } from './creator-settings.ts';
import { Schedule, type Unit } from './schedule.ts';
import { type ObjectOwner, readObjects, type StoredObject, writeOutcomes } from './stored-objects.ts';

export interface CreateOptions {
  readonly owner: ObjectOwner;
  readonly section: SchemaSection;
  /** Connections that create objects at once. */
  readonly parallelism: number;
  readonly open: () => Promise<pg.Client>;
  readonly signal: AbortSignal;
  /** Called for each object in the transaction that creates it. */
  readonly onObject?: (object: StoredObject) => void;
}

export interface SectionEnd {
  readonly created: number;
  /** Failed and skipped ones, with their reasons. */
  readonly missing: readonly StoredObject[];
}

/**
 * Creates what is still open of a section, what failed before included. An object's state is written in the
 * transaction that creates it. One that the destination refuses stops only what needs it.
 * @throws what pg throws, when it says nothing of an object: the caller's attempt is over
 */
export async function createSection(options: CreateOptions): Promise<SectionEnd> {
  const { owner, section, open } = options;
  const first = await openCreator(open);
  try {
    const large = section === 'pre-data' ? new Set<string>() : await largeTables(first);
    const schedule = new Schedule(await readObjects(first, owner), { section, isQuick: (key) => !large.has(key) });
    return await new Creation(options, schedule).run(first);
  } finally {
    await first.end().catch(() => undefined);
  }
}

/** States are lost together with their objects, so that nothing waits for the disk. */
const sessionSettings: Readonly<Record<string, string>> = {
  ...creatorSettings,
  synchronous_commit: 'off',
  client_connection_check_interval: '5s',
};

async function openCreator(open: () => Promise<pg.Client>): Promise<pg.Client> {
  const client = await open();
  try {
    await client.query(
      `SELECT set_config(name, ($2::text[])[array_position($1::text[], name)], false)
       FROM pg_settings WHERE name = ANY ($1::text[])`,
      [Object.keys(sessionSettings), Object.values(sessionSettings)],
    );
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

const LARGE_BYTES = 8 * 1024 * 1024;

/** By tableKey; a partitioned table may have large partitions. */
async function largeTables(client: pg.Client): Promise<Set<string>> {
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'p' OR (c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > $1)`,
    [LARGE_BYTES],
  );
  return new Set(rows.map(tableKey));
}

const MOST_TRIES = 4;

class Creation {
  readonly #options: CreateOptions;
  readonly #schedule: Schedule;
  readonly #clients: pg.Client[] = [];
  readonly #missing: StoredObject[] = [];
  #created = 0;
  #stopped = false;
  #waiters: (() => void)[] = [];

  constructor(options: CreateOptions, schedule: Schedule) {
    this.#options = options;
    this.#schedule = schedule;
  }

  async run(first: pg.Client): Promise<SectionEnd> {
    const { parallelism, open, signal } = this.#options;
    const others = Math.max(0, Math.min(parallelism, this.#schedule.open) - 1);
    const cancel = () => void this.#cancelAll().catch(() => undefined);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const workers = [this.#work(first)];
      for (let i = 0; i < others; i++) {
        workers.push(
          openCreator(open).then((client) => this.#work(client).finally(() => client.end().catch(() => {}))),
        );
      }
      const results = await Promise.allSettled(workers.map((worker) => worker.catch((error) => this.#stop(error))));
      const failure = results.find((result) => result.status === 'rejected');
      if (failure && !signal.aborted) throw failure.reason;
      await this.#writeEnded(first);
      return { created: this.#created, missing: this.#missing };
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #stop(error: unknown): never {
    this.#stopped = true;
    this.#wake();
    throw error;
  }

  async #work(client: pg.Client): Promise<void> {
    this.#clients.push(client);
    while (!this.#stopped && !this.#options.signal.aborted) {
      const unit = this.#schedule.take();
      if (unit) await this.#create(client, unit);
      else if (this.#schedule.isDone) break;
      else await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async #create(client: pg.Client, unit: Unit): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        if (await this.#inTransaction(client, unit.objects)) {
          this.#schedule.created(unit);
          this.#created += unit.objects.length;
        } else {
          this.#schedule.takeApart(unit);
        }
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        if (unit.objects.length === 1 && tries < MOST_TRIES && isNeighbours(error)) {
          await delay(tries * 100);
          continue;
        }
        await this.#refused(client, unit, error);
      }
      this.#wake();
      return;
    }
  }

  /** One statement string, so one round trip. False: somebody else has created one of them meanwhile. */
  async #inTransaction(client: pg.Client, objects: readonly StoredObject[]): Promise<boolean> {
    const { owner, onObject } = this.#options;
    const numbers = objects.map(({ number }) => number);
    const claim = `UPDATE sluice.object SET state = 'created', reason = NULL, sqlstate = NULL
      WHERE task = ${quoteLiteral(owner.task)} AND sink = ${quoteLiteral(owner.sink)} AND number IN (${numbers})
        AND state IN ('pending', 'failed', 'skipped')`;
    const text = [`${objectMark(numbers[0] ?? 0)} BEGIN`, claim, ...objects.map(({ sql }) => sql)].join(';\n');
    const results = (await client.query(text)) as unknown as pg.QueryResult[];
    if (results[1]?.rowCount !== objects.length) {
      await client.query('ROLLBACK');
      return this.#areCreated(client, objects);
    }
    for (const object of objects) onObject?.(object);
    await client.query('COMMIT');
    return true;
  }

  async #areCreated(client: pg.Client, objects: readonly StoredObject[]): Promise<boolean> {
    const { task, sink } = this.#options.owner;
    const { rows } = await client.query<{ open: string }>(
      `SELECT count(*) AS open FROM sluice.object
       WHERE task = $1 AND sink = $2 AND number = ANY ($3::int[]) AND state <> 'created'`,
      [task, sink, objects.map(({ number }) => number)],
    );
    return rows[0]?.open === '0';
  }

  async #refused(client: pg.Client, unit: Unit, error: unknown): Promise<void> {
    const state = sqlstate(error);
    if (state === undefined) throw error;
    if (unit.objects.length > 1 && (isOfTheObject(state) || isNeighbours(error))) return this.#schedule.takeApart(unit);
    if (!isOfTheObject(state)) throw error;
    // A predecessor that was killed may have come to its COMMIT before we came to the row.
    if (await this.#areCreated(client, unit.objects)) return this.#schedule.created(unit);
    this.#schedule.failed(unit, { reason: (error as Error).message, sqlstate: state });
    await this.#writeEnded(client);
  }

  async #writeEnded(client: pg.Client): Promise<void> {
    const ended = this.#schedule.takeEnded();
    this.#missing.push(...ended);
    await writeOutcomes(client, this.#options.owner, ended);
  }

  /** Ends long statements at a drain; each rolls back by itself. */
  async #cancelAll(): Promise<void> {
    this.#wake();
    const pids = this.#clients.map((client) => (client as unknown as { processID: number }).processID);
    const canceller = await this.#options.open();
    try {
      await canceller.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [pids]);
    } finally {
      await canceller.end();
    }
  }
}

/** Begins the text of a transaction, so that pg_stat_activity tells which object is being created. */
export const OBJECT_MARK_PATTERN = '^/\\* sluice object ([0-9]+) ';

function objectMark(number: number): string {
  return `/* sluice object ${number} */`;
}

/** Files of a C library that is not there are the object's matter, though their class is that of system errors. */
function isOfTheObject(state: string): boolean {
  return state === '58P01' || state === '58P02' || !isRetryableState(state);
}

/** Deadlocks, and catalog rows that somebody else changed at the same moment (XX000). */
function isNeighbours(error: unknown): boolean {
  const state = sqlstate(error);
  return state !== undefined && (state.startsWith('40') || state === 'XX000' || state === '55006');
}
