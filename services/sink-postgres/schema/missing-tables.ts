import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { describeObject, isThere, readObjects } from '../../../shared/schema-objects/stored-objects.ts';
import type { SinkIdentity } from '../bookkeeping/tables.ts';

/** Without them rows have no place, or not the one they have at the source. */
const structure = new Set(['table', 'partition', 'inheritance']);

/**
 * Rows are loaded only when every table is there.
 * @throws SluiceError DESTINATION_OBJECT_FAILED naming each table that is not, and why.
 */
export async function refuseMissingTables(client: pg.Client, identity: SinkIdentity): Promise<void> {
  const missing = (await readObjects(client, identity)).filter(
    (object) => object.section === 'pre-data' && structure.has(object.kind) && !isThere(object),
  );
  if (missing.length === 0) return;
  const list = missing.map((object) => `\n  ${describeObject(object)}: ${object.reason}`).join('');
  const count = `${missing.length} object${missing.length === 1 ? '' : 's'} that rows need could not be created`;
  throw new SluiceError('DESTINATION_OBJECT_FAILED', `${count}:${list}`, { context: { objects: missing.length } });
}
