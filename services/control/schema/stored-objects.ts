import { connect } from '../../../shared/postgres/connection.ts';
import { readObjects, type StoredObject } from '../../../shared/schema-objects/stored-objects.ts';
import type { Task } from '../../../shared/task/task.ts';
import { hasBookkeeping } from '../bookkeeping/destination-state.ts';

/** The objects of the task's sink, as the destination remembers them. */
export async function readStoredObjects(task: Task): Promise<StoredObject[]> {
  const client = await connect(task.destination, { applicationName: 'sluice schema', end: 'destination' });
  try {
    return (await hasBookkeeping(client)) ? await readObjects(client, { task: task.name, sink: task.sink.name }) : [];
  } finally {
    await client.end();
  }
}
