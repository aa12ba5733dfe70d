import type pg from 'pg';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { findExisting, initialStates } from '../../../shared/schema-objects/existing-objects.ts';
import { describeObject, storeObjects } from '../../../shared/schema-objects/stored-objects.ts';
import type { ExistingMode } from '../../../shared/task/definition.ts';
import type { SinkIdentity } from '../bookkeeping/tables.ts';

/**
 * Remembers the objects to be created. What is at the destination already is decided now and once: from here on,
 * what is there was created by us.
 * @throws SluiceError DESTINATION_OBJECT_EXISTS naming every object that is in the way, before anything is stored.
 */
export async function storeNewObjects(
  client: pg.Client,
  identity: SinkIdentity,
  { objects, existing }: { readonly objects: readonly SchemaObject[]; readonly existing: ExistingMode },
): Promise<void> {
  const { found, conflicts } = await findExisting(client, objects);
  if (existing === 'precheck' && conflicts.length > 0) throw objectsExist(conflicts);
  await storeObjects(client, identity, objects, initialStates(objects, found));
}

function objectsExist(conflicts: readonly SchemaObject[]): SluiceError {
  const names = conflicts.map((object) => describeObject({ ...object, identity: object.identity ?? null }));
  return new SluiceError('DESTINATION_OBJECT_EXISTS', `at the destination exist already: ${names.join(', ')}`);
}
