import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { connect, describeEnd } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import type { Task } from '../../../shared/task/task.ts';
import { readSchemaObjects } from './schema-reader.ts';

/**
 * Writes the schema objects as the source has them now, one JSON document a line, in creation order: what a capture
 * that starts now would publish. Needs the source alone.
 * @throws SluiceError POSTGRES_*
 */
export async function describeSchema(task: Task, output: Writable): Promise<void> {
  const { source } = task;
  const client = await connect(source.endpoint, { applicationName: 'sluice schema', end: 'source' });
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    for (const object of await readSchemaObjects(client, task)) {
      if (!output.write(`${JSON.stringify(object)}\n`)) await once(output, 'drain');
    }
  } catch (error) {
    throw postgresFailure(error, describeEnd(source.endpoint, 'source'));
  } finally {
    await client.end();
  }
  await new Promise<void>((resolve) => output.end(resolve));
}
