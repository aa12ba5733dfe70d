import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';

/** The session of a capture that was killed may let go of the task's lock a little before it lets go of the slot. */
const WAIT_MILLISECONDS = 10_000;
const LOOK_MILLISECONDS = 200;

export interface SlotQuestion {
  readonly slot: string;
  /** Ends the session that reads from it. */
  readonly takeOver: boolean;
  readonly signal: AbortSignal;
}

/**
 * Waits until nobody reads from the slot. Whoever does is no capture of this task, whose lock we hold, and may
 * acknowledge what Kafka does not have.
 * @throws SluiceError SOURCE_SLOT_IN_USE
 */
export async function awaitFreeSlot(sql: pg.Client, { slot, takeOver, signal }: SlotQuestion): Promise<void> {
  const until = performance.now() + WAIT_MILLISECONDS;
  for (;;) {
    const { rows } = await sql.query<Reader>(readerSql, [slot]);
    const [reader] = rows;
    if (!reader) return;
    if (takeOver) await sql.query('SELECT pg_terminate_backend($1)', [reader.pid]);
    else if (performance.now() > until) throw inUse(slot, reader);
    await delay(LOOK_MILLISECONDS, undefined, { signal });
  }
}

interface Reader {
  readonly pid: string;
  readonly name: string | null;
  readonly address: string | null;
}

const readerSql = `
  SELECT s.active_pid AS pid, coalesce(nullif(a.application_name, ''), a.usename) AS name, a.client_addr AS address
  FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
  WHERE s.slot_name = $1 AND s.active_pid IS NOT NULL`;

function inUse(slot: string, { pid, name, address }: Reader): SluiceError {
  const who = `process ${pid} (${name ?? 'unknown'}, from ${address ?? 'the server itself'})`;
  return new SluiceError('SOURCE_SLOT_IN_USE', `slot ${slot} is read by ${who}`, { context: { slot } });
}
