import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import type { Task } from '../../../shared/task/task.ts';

export interface HeldBackObject {
  readonly number: number;
  readonly section: string;
  readonly kind: string;
  readonly name: string;
}

/**
 * Creates what the sink held back for cutover: foreign keys where they had to wait, then the objects of section
 * `cutover`. Each commits together with its own state, so that an interrupted cutover goes on.
 * @throws SluiceError DESTINATION_OBJECT_FAILED naming the object and the server's message.
 */
export async function createHeldBack(destination: pg.Client, task: Task): Promise<HeldBackObject[]> {
  const { rows } = await destination.query<{
    number: string;
    section: string;
    kind: string;
    name: string;
    sql: string;
  }>(
    `SELECT number, section, kind, schema_name || '.' || object_name AS name, sql FROM sluice.object
     WHERE task = $1 AND sink = $2 AND state NOT IN ('created', 'existed')
     ORDER BY CASE section WHEN 'pre-data' THEN 0 WHEN 'post-data' THEN 1 WHEN 'foreign-keys' THEN 2 ELSE 3 END, number`,
    [task.name, task.sink.name],
  );
  const created: HeldBackObject[] = [];
  for (const { number, section, kind, name, sql } of rows) {
    const object = { number: Number(number), section, kind, name };
    await createOne(destination, task, { ...object, sql });
    created.push(object);
  }
  return created;
}

async function createOne(destination: pg.Client, task: Task, object: HeldBackObject & { sql: string }): Promise<void> {
  const key = [task.name, task.sink.name, object.number];
  try {
    await destination.query('BEGIN');
    await destination.query(object.sql);
    await destination.query(
      `UPDATE sluice.object SET state = 'created', error = NULL WHERE task = $1 AND sink = $2 AND number = $3`,
      key,
    );
    await destination.query('COMMIT');
  } catch (error) {
    await destination.query('ROLLBACK').catch(() => undefined);
    const message = error instanceof Error ? error.message : String(error);
    throw new SluiceError('DESTINATION_OBJECT_FAILED', `${object.kind} ${object.name}: ${message}`, {
      context: { section: object.section },
      cause: error,
      remedy: "Read the server's message; after the cause is removed, run sluice cutover again.",
    });
  }
}
