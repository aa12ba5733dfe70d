import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { postgresFailure, sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import { publicationName, SOURCE_LOCK_CLASS, slotName, type Task } from '../../../shared/task/task.ts';
import { dropTruncateTriggers } from '../../../shared/task/truncate-log.ts';

type OriginalIdentity = RecordOf<'epoch'>['replicaIdentities'][number];

/** Names of what was removed or put back. */
export interface ReleasedSource {
  readonly slot: string | null;
  readonly publication: string | null;
  readonly replicaIdentities: readonly string[];
}

const LOCK_WAIT_MS = 10_000;
const OBJECT_IN_USE = '55006';

/**
 * Removes what the task made at the source, and nothing else; what is gone already is passed over.
 * Holds the task's lock meanwhile, so that no capture starts.
 * @throws SluiceError SOURCE_TASK_RUNNING while a capture runs, unless it is to be taken over; POSTGRES_*
 */
export async function releaseSource(
  client: pg.Client,
  task: Task,
  { identities, takeOver }: { readonly identities: readonly OriginalIdentity[]; readonly takeOver: boolean },
): Promise<ReleasedSource> {
  await lock(client, task, takeOver);
  try {
    const slot = await dropSlot(client, task);
    const publication = await dropPublication(client, task);
    await dropTruncateTriggers(client, task.name, AbortSignal.timeout(LOCK_WAIT_MS));
    return { slot, publication, replicaIdentities: await restoreIdentities(client, identities) };
  } catch (error) {
    throw postgresFailure(error, { end: 'source' });
  }
}

async function lock(client: pg.Client, task: Task, takeOver: boolean): Promise<void> {
  const key = [SOURCE_LOCK_CLASS, slotName(task.name)];
  for (const until = performance.now() + LOCK_WAIT_MS; ; await delay(200)) {
    const { rows } = await client.query<{ locked: string }>(
      'SELECT pg_try_advisory_lock($1::int, hashtext($2))::text AS locked',
      key,
    );
    if (rows[0]?.locked === 'true') return;
    if (!takeOver || performance.now() > until) {
      throw new SluiceError('SOURCE_TASK_RUNNING', `a capture of task ${task.name} runs`, {
        remedy: 'Stop it first, or release with --take-over.',
      });
    }
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_locks
       WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = $1::oid
         AND objid = (hashtext($2)::bigint & 4294967295)::oid
         AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`,
      key,
    );
  }
}

/** A walsender that has just ended may hold its slot for a moment. */
async function dropSlot(client: pg.Client, task: Task): Promise<string | null> {
  const name = slotName(task.name);
  for (const until = performance.now() + LOCK_WAIT_MS; ; await delay(200)) {
    const sql = 'SELECT active::text FROM pg_catalog.pg_replication_slots WHERE slot_name = $1';
    const { rows } = await client.query<{ active: string }>(sql, [name]);
    if (rows.length === 0) return null;
    try {
      await client.query('SELECT pg_drop_replication_slot($1)', [name]);
      return name;
    } catch (error) {
      if (sqlstate(error) !== OBJECT_IN_USE || performance.now() > until) throw error;
    }
  }
}

async function dropPublication(client: pg.Client, task: Task): Promise<string | null> {
  const name = publicationName(task.name);
  const { rows } = await client.query('SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = $1', [name]);
  if (rows.length === 0) return null;
  await client.query(`DROP PUBLICATION ${quoteIdentifier(name)}`);
  return name;
}

/** Only where the identity is still FULL, as the task left it. */
async function restoreIdentities(client: pg.Client, identities: readonly OriginalIdentity[]): Promise<string[]> {
  const restored: string[] = [];
  for (const table of identities) {
    const { rows } = await client.query<{ identity: string }>(
      `SELECT c.relreplident::text AS identity FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
      [table.schema, table.name],
    );
    if (rows[0]?.identity !== 'f' || table.was === 'f') continue;
    await client.query(`ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY ${identitySql(table)}`);
    restored.push(`${table.schema}.${table.name}`);
  }
  return restored;
}

function identitySql({ was, index }: OriginalIdentity): string {
  if (was === 'i' && index !== null) return `USING INDEX ${quoteIdentifier(index)}`;
  return was === 'n' ? 'NOTHING' : 'DEFAULT';
}
