import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { connect, describeEnd, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure, sqlstate } from '../../../shared/postgres/failure.ts';
import type { SinkIdentity } from './tables.ts';

/** How a sink's sessions at the destination are opened; the same for all of one attempt. */
export interface Destination {
  readonly endpoint: PostgresEndpoint;
  readonly identity: SinkIdentity;
}

/** Of every session, where the server knows them: what a sink left that was killed or cut off ends soon, and its locks. */
const endsSoon: Readonly<Record<string, string>> = { client_connection_check_interval: '5s', tcp_user_timeout: '30s' };

/**
 * Settings of sessions that write rows, where the server knows them.
 * - synchronous_commit: position and rows are lost together, and applied again; nothing upstream waits for them
 * - the planner: the rows of a statement come as arrays of unknown length and meet their table by its key
 */
const writerSettings: Readonly<Record<string, string>> = {
  synchronous_commit: 'off',
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  jit: 'off',
};

export async function openSession(destination: Destination, role: string): Promise<pg.Client> {
  const { endpoint, identity } = destination;
  const applicationName = `sluice sink ${identity.task}/${identity.sink} ${role}`.slice(0, 63);
  const client = await connect(endpoint, { applicationName, end: 'destination' });
  try {
    await set(client, endsSoon);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw destinationFailure(error, destination);
  }
}

async function set(client: pg.Client, settings: Readonly<Record<string, string>>): Promise<void> {
  await client.query(
    `SELECT set_config(name, ($2::text[])[array_position($1::text[], name)], false)
     FROM pg_settings WHERE name = ANY ($1::text[])`,
    [Object.keys(settings), Object.values(settings)],
  );
}

/** A session that writes rows. `replicaRole`: user triggers and foreign keys do not act in it. */
export async function openWriter(
  destination: Destination,
  { role, replicaRole }: { readonly role: string; readonly replicaRole: boolean },
): Promise<pg.Client> {
  const client = await openSession(destination, role);
  try {
    await set(client, writerSettings);
    if (replicaRole) await client.query('SET session_replication_role = replica');
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw destinationFailure(error, destination);
  }
}

/** Whether the account may set session_replication_role: superusers and those it was granted to. */
export async function maySetReplicaRole(client: pg.Client): Promise<boolean> {
  await client.query('BEGIN');
  try {
    await client.query('SET LOCAL session_replication_role = replica');
    return true;
  } catch (error) {
    if (sqlstate(error) === '42501') return false;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

const LOCK_PATIENCE_MS = 60_000;
const LOCK_LOOK_MS = 200;

/**
 * Waits until no other sink of this name runs: one that was killed a moment ago may still be ending.
 * Politeness only: the applied position is what keeps two sinks apart. False: the signal fired first.
 * @throws SluiceError DESTINATION_POSITION_MOVED when the other one does not end.
 */
export async function lockSink(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { onWaiting, signal }: { readonly onWaiting: () => void; readonly signal: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (let looks = 0; !signal.aborted; looks++) {
    const text = 'SELECT pg_try_advisory_lock(hashtext($1), hashtext($2)) AS locked';
    const { rows } = await client.query<{ locked: string }>(text, ['sluice.sink', `${task}/${sink}`]);
    if (rows[0]?.locked === 't') return true;
    if (performance.now() > deadline) {
      throw new SluiceError(
        'DESTINATION_POSITION_MOVED',
        `another sink ${sink} of task ${task} runs at the destination`,
      );
    }
    if (looks === 0) onWaiting();
    await delay(LOCK_LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

export function destinationFailure(error: unknown, { endpoint }: Destination): SluiceError {
  return postgresFailure(error, describeEnd(endpoint, 'destination'));
}
