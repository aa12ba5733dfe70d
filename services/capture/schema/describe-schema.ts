import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { connect, describeEnd } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import type { Task } from '../../../shared/task/task.ts';
import { readSchemaObjects } from './schema-reader.ts';

/**
 * The schema objects as the source has them now, in creation order: what a capture that starts now would publish.
 * Needs the source alone.
 * @throws SluiceError POSTGRES_*
 */
export async function describeSchema(task: Task): Promise<SchemaObject[]> {
  const { source } = task;
  const client = await connect(source.endpoint, { applicationName: 'sluice schema', end: 'source' });
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return await readSchemaObjects(client, task);
  } catch (error) {
    throw postgresFailure(error, describeEnd(source.endpoint, 'source'));
  } finally {
    await client.end();
  }
}
