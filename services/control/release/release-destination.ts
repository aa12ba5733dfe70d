import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { readSuspended, restoreActions, type SuspendedAction } from '../../../shared/postgres/suspended-actions.ts';
import type { Task } from '../../../shared/task/task.ts';
import { hasBookkeeping } from '../bookkeeping/destination-state.ts';

const tables = ['suspended', 'request', 'object', 'chunk', 'table_load', 'sink', 'position'] as const;

export interface ReleasedBookkeeping {
  readonly rows: number;
  /** The schema `sluice` held nothing else and is gone. */
  readonly schema: boolean;
}

/**
 * Puts back what the sink suspended at the destination's tables; a sink that runs on would let it act.
 * @throws SluiceError DESTINATION_SINK_RUNNING
 */
export async function releaseTables(client: pg.Client, task: Task): Promise<SuspendedAction[]> {
  const owner = { task: task.name, sink: task.sink.name };
  try {
    if ((await readSuspended(client, owner)).length === 0) return [];
    const text = 'SELECT pg_try_advisory_lock(hashtext($1), hashtext($2)) AS locked';
    const { rows } = await client.query<{ locked: string }>(text, ['sluice.sink', `${owner.task}/${owner.sink}`]);
    if (rows[0]?.locked !== 't') {
      throw new SluiceError('DESTINATION_SINK_RUNNING', `sink ${owner.sink} of task ${owner.task} runs`);
    }
    return await restoreActions(client, owner);
  } catch (error) {
    throw postgresFailure(error, { end: 'destination' });
  }
}

/** Deletes the bookkeeping of this sink of the task; migrated tables stay as they are. */
export async function releaseBookkeeping(client: pg.Client, task: Task): Promise<ReleasedBookkeeping> {
  if (!(await hasBookkeeping(client))) return { rows: 0, schema: false };
  try {
    await client.query('BEGIN');
    let deleted = 0;
    await dropStaging(client, task);
    for (const table of tables) {
      const sql = `DELETE FROM sluice."${table}" WHERE task = $1 AND sink = $2`;
      deleted += (await client.query(sql, [task.name, task.sink.name])).rowCount ?? 0;
    }
    const schema = await dropWhenEmpty(client);
    await client.query('COMMIT');
    return { rows: deleted, schema };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw postgresFailure(error, { end: 'destination' });
  }
}

/** Of a load that did not end. */
async function dropStaging(client: pg.Client, task: Task): Promise<void> {
  const { rows } = await client.query<{ staging: string }>(
    'SELECT staging FROM sluice.table_load WHERE task = $1 AND sink = $2 AND staging IS NOT NULL',
    [task.name, task.sink.name],
  );
  for (const { staging } of rows) {
    await client.query(`DROP TABLE IF EXISTS ${quoteTable({ schema: 'sluice', name: staging })}`);
  }
}

/** Only our tables, all empty, and nothing else in the schema: RESTRICT would refuse, and so would the transaction. */
async function dropWhenEmpty(client: pg.Client): Promise<boolean> {
  const left = tables.map((table) => `(SELECT count(*) FROM sluice."${table}")`).join(' + ');
  const { rows } = await client.query<{ left: string; relations: string }>(
    `SELECT ${left} AS left, (SELECT count(*) FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'sluice' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) AS relations`,
  );
  if (Number(rows[0]?.left) > 0 || Number(rows[0]?.relations) !== tables.length) return false;
  await client.query(`DROP TABLE ${tables.map((table) => `sluice."${table}"`).join(', ')}`);
  await client.query('DROP SCHEMA sluice');
  return true;
}
