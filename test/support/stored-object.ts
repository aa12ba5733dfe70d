import type { StoredObject } from '../../shared/schema-objects/stored-objects.ts';

/** A table's object unless said otherwise. */
export function storedObject(number: number, given: Partial<StoredObject> = {}): StoredObject {
  const name = `t${number}`;
  return {
    number,
    section: 'post-data',
    kind: 'table',
    schema: 's',
    name,
    table: { schema: 's', name },
    identity: { type: 'table', identity: `s.${name}` },
    sql: `CREATE ${number}`,
    needs: [],
    columns: null,
    state: 'pending',
    reason: null,
    sqlstate: null,
    differences: [],
    ...given,
  };
}
