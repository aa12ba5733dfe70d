import type pg from 'pg';
import type { SchemaObject, SchemaSection } from '../envelope/schema-object.ts';
import type { TableName } from '../postgres/identifiers.ts';

/**
 * What became of an object at the destination, in sluice.object:
 *   pending   not tried yet
 *   created   by us, in the transaction that wrote this state
 *   existed   it was there before the task, and is kept
 *   failed    the destination refused it; tried again at the next start and at cutover
 *   skipped   something that it needs is not there; likewise
 *   left out  not carried at all
 */
export const objectStates = ['pending', 'created', 'existed', 'failed', 'skipped', 'left out'] as const;
export type ObjectState = (typeof objectStates)[number];

export interface StoredObject {
  readonly number: number;
  readonly section: SchemaSection;
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  readonly table: TableName | null;
  readonly identity: { readonly type: string; readonly identity: string } | null;
  readonly sql: string;
  readonly needs: readonly number[];
  readonly columns: readonly Column[] | null;
  readonly state: ObjectState;
  /** Why it is skipped or left out; of a failed one the server's message. */
  readonly reason: string | null;
  readonly sqlstate: string | null;
  /** Of a table that existed: what differs from the source's, one sentence each. */
  readonly differences: readonly string[];
}

export interface Column {
  readonly name: string;
  readonly type: string;
}

/** Whose objects: one sink of one task. */
export interface ObjectOwner {
  readonly task: string;
  readonly sink: string;
}

/** What a state other than `created` is told with. */
export interface Outcome {
  readonly number: number;
  readonly state: ObjectState;
  readonly reason: string | null;
  readonly sqlstate: string | null;
}

/** Those that a section still has to create. */
export function isOpen({ state }: { readonly state: ObjectState }): boolean {
  return state === 'pending' || state === 'failed' || state === 'skipped';
}

export function isThere({ state }: { readonly state: ObjectState }): boolean {
  return state === 'created' || state === 'existed';
}

type Named = Pick<StoredObject, 'kind' | 'table' | 'schema' | 'name'> & Partial<Pick<StoredObject, 'identity'>>;

/** `table shop.orders`: as messages name it. */
export function describeObject({ kind, identity, table, schema, name }: Named): string {
  if (identity) return `${kind} ${identity.identity}`;
  if (table) return `${kind} of ${table.schema}.${table.name}${table.name === name ? '' : ` (${name})`}`;
  return schema === name ? `${kind} ${name}` : `${kind} ${schema}.${name}`;
}

export async function hasObjects(client: pg.Client, { task, sink }: ObjectOwner): Promise<boolean> {
  const text = 'SELECT 1 FROM sluice.object WHERE task = $1 AND sink = $2 LIMIT 1';
  return (await client.query(text, [task, sink])).rows.length > 0;
}

/** Remembers the objects in one statement; `states`: of those that are not pending, by number. */
export async function storeObjects(
  client: pg.Client,
  { task, sink }: ObjectOwner,
  objects: readonly SchemaObject[],
  states: ReadonlyMap<number, Pick<Outcome, 'state' | 'reason'>>,
): Promise<void> {
  const described = objects.map(({ number, section, kind, schema, name, sql, table, identity, needs, columns }) => ({
    number,
    section,
    kind,
    schema_name: schema,
    object_name: name,
    sql,
    table_name: table ?? null,
    identity: identity ?? null,
    needs: needs ?? [],
    columns: columns ?? null,
    state: states.get(number)?.state ?? 'pending',
    reason: states.get(number)?.reason ?? null,
  }));
  await client.query(
    `INSERT INTO sluice.object
       (task, sink, number, section, kind, schema_name, object_name, sql, table_name, identity, needs, columns, state, reason)
     SELECT $1, $2, o.* FROM json_to_recordset($3::json) AS o(number int, section text, kind text, schema_name text,
       object_name text, sql text, table_name json, identity json, needs json, columns json, state text, reason text)
     ON CONFLICT DO NOTHING`,
    [task, sink, JSON.stringify(described)],
  );
}

type Text =
  | 'number'
  | 'section'
  | 'kind'
  | 'schema_name'
  | 'object_name'
  | 'sql'
  | 'table_name'
  | 'identity'
  | 'needs'
  | 'columns'
  | 'state'
  | 'reason'
  | 'sqlstate'
  | 'differences';

/** All of them, in creation order. */
export async function readObjects(client: pg.Client, { task, sink }: ObjectOwner): Promise<StoredObject[]> {
  const { rows } = await client.query<Record<Text, string | null>>(
    `SELECT number, section, kind, schema_name, object_name, sql, table_name, identity, needs, columns, state, reason,
       sqlstate, differences
     FROM sluice.object WHERE task = $1 AND sink = $2 ORDER BY number`,
    [task, sink],
  );
  return rows.map((row) => ({
    number: Number(row.number),
    section: row.section as SchemaSection,
    kind: row.kind ?? '',
    schema: row.schema_name ?? '',
    name: row.object_name ?? '',
    table: json<TableName | null>(row.table_name, null),
    identity: json<StoredObject['identity']>(row.identity, null),
    sql: row.sql ?? '',
    needs: json<number[]>(row.needs, []),
    columns: json<Column[] | null>(row.columns, null),
    state: row.state as ObjectState,
    reason: row.reason,
    sqlstate: row.sqlstate,
    differences: json<string[]>(row.differences, []),
  }));
}

function json<T>(text: string | null, otherwise: T): T {
  return text === null ? otherwise : (JSON.parse(text) as T);
}

/** Of objects that are not created; one that somebody else created meanwhile stays so. */
export async function writeOutcomes(
  client: pg.Client,
  { task, sink }: ObjectOwner,
  outcomes: readonly Outcome[],
): Promise<void> {
  if (outcomes.length === 0) return;
  await client.query(
    `UPDATE sluice.object AS o SET state = n.state, reason = n.reason, sqlstate = n.sqlstate
     FROM json_to_recordset($3::json) AS n(number int, state text, reason text, sqlstate text)
     WHERE o.task = $1 AND o.sink = $2 AND o.number = n.number AND o.state <> 'created'`,
    [task, sink, JSON.stringify(outcomes)],
  );
}

/** Of tables that existed. */
export async function writeDifferences(
  client: pg.Client,
  { task, sink }: ObjectOwner,
  differences: ReadonlyMap<number, readonly string[]>,
): Promise<void> {
  const found = [...differences].map(([number, list]) => ({ number, differences: list }));
  await client.query(
    `UPDATE sluice.object AS o SET differences = n.differences
     FROM json_to_recordset($3::json) AS n(number int, differences json)
     WHERE o.task = $1 AND o.sink = $2 AND o.number = n.number`,
    [task, sink, JSON.stringify(found)],
  );
}
