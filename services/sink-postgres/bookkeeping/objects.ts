import type pg from 'pg';
import type { SchemaObject, SchemaSection } from '../../../shared/envelope/schema-object.ts';
import type { SinkIdentity } from './tables.ts';

export interface StoredObject {
  readonly number: number;
  readonly section: SchemaSection;
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  readonly sql: string;
}

export async function hasObjects(client: pg.Client, { task, sink }: SinkIdentity): Promise<boolean> {
  const text = 'SELECT 1 FROM sluice.object WHERE task = $1 AND sink = $2 LIMIT 1';
  return (await client.query(text, [task, sink])).rows.length > 0;
}

/** Remembers the objects to be created, all as pending, in one statement. */
export async function storeObjects(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  objects: readonly SchemaObject[],
): Promise<void> {
  await client.query(
    `INSERT INTO sluice.object (task, sink, number, section, kind, schema_name, object_name, sql, state)
     SELECT $1, $2, o.*, 'pending' FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) AS o
     ON CONFLICT DO NOTHING`,
    [
      task,
      sink,
      objects.map(({ number }) => number),
      objects.map(({ section }) => section),
      objects.map(({ kind }) => kind),
      objects.map(({ schema }) => schema),
      objects.map(({ name }) => name),
      objects.map(({ sql }) => sql),
    ],
  );
}

/** What of a section is still to be created, in creation order. */
export async function openObjects(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  section: SchemaSection,
): Promise<StoredObject[]> {
  const { rows } = await client.query<Record<'number' | 'kind' | 'schema_name' | 'object_name' | 'sql', string>>(
    `SELECT number, kind, schema_name, object_name, sql FROM sluice.object
     WHERE task = $1 AND sink = $2 AND section = $3 AND state IN ('pending', 'failed') ORDER BY number`,
    [task, sink, section],
  );
  return rows.map(({ number, kind, schema_name, object_name, sql }) => {
    return { number: Number(number), section, kind, schema: schema_name, name: object_name, sql };
  });
}

/** Locks the object until the end of the transaction; false: somebody else created it meanwhile. */
export async function lockObject(client: pg.Client, { task, sink }: SinkIdentity, number: number): Promise<boolean> {
  const { rows } = await client.query<{ state: string }>(
    'SELECT state FROM sluice.object WHERE task = $1 AND sink = $2 AND number = $3 FOR UPDATE',
    [task, sink, number],
  );
  return rows[0]?.state === 'pending' || rows[0]?.state === 'failed';
}

export async function writeObjectState(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { number, state, error }: { number: number; state: 'created' | 'existed' | 'failed'; error: string | null },
): Promise<void> {
  const text = 'UPDATE sluice.object SET state = $4, error = $5 WHERE task = $1 AND sink = $2 AND number = $3';
  await client.query(text, [task, sink, number, state, error]);
}
