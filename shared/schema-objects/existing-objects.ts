import type pg from 'pg';
import type { SchemaObject } from '../envelope/schema-object.ts';
import { tableKey } from '../postgres/identifiers.ts';
import type { Outcome } from './stored-objects.ts';

interface CatalogOfObjects {
  readonly name: string;
  /** What is selected from, with a column oid; default: the catalog. */
  readonly rows?: string;
  readonly where?: string;
}

/** Catalogs whose rows are objects with names; those that a server brings itself have smaller oids. */
const catalogs: readonly CatalogOfObjects[] = [
  { name: 'pg_class', where: "relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f', 'c') AND relpersistence <> 't'" },
  { name: 'pg_type', where: "typtype <> 'c' AND typcategory <> 'A'" },
  ...['pg_proc', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_cast', 'pg_conversion', 'pg_collation'].map(named),
  ...['pg_constraint', 'pg_attrdef', 'pg_rewrite', 'pg_policy', 'pg_statistic_ext', 'pg_transform'].map(named),
  { name: 'pg_trigger', where: 'NOT tgisinternal' },
  ...['pg_ts_config', 'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template', 'pg_event_trigger', 'pg_am'].map(named),
  ...['pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_default_acl'].map(named),
  // The catalog itself is for superusers only.
  { name: 'pg_user_mapping', rows: '(SELECT umid AS oid FROM pg_catalog.pg_user_mappings) AS m' },
];

function named(name: string): CatalogOfObjects {
  return { name };
}

const FIRST_USER_OID = 16384;

/** Sluice's own, and what belongs to a session or to TOAST, is nobody's conflict. */
function identitiesSql(): string {
  const rows = catalogs.map(
    ({ name, rows: from = `pg_catalog.${name}`, where = 'true' }) =>
      `SELECT 'pg_catalog.${name}'::regclass AS class, oid FROM ${from} WHERE oid >= ${FIRST_USER_OID} AND ${where}`,
  );
  return `
    SELECT i.type, i.identity FROM (${rows.join(' UNION ALL ')}) AS o,
      LATERAL pg_identify_object(o.class, o.oid, 0) AS i
    WHERE i.identity IS NOT NULL AND i.schema IS DISTINCT FROM 'sluice'
      AND coalesce(i.schema, '') !~ '^pg_(temp|toast)'
    UNION ALL SELECT 'schema', quote_ident(nspname) FROM pg_catalog.pg_namespace
    UNION ALL SELECT 'extension', quote_ident(extname) FROM pg_catalog.pg_extension
    UNION ALL SELECT 'language', quote_ident(lanname) FROM pg_catalog.pg_language`;
}

/** Kinds that are shared with others: to find one there is no conflict. */
const shared = new Set(['schema', 'extension', 'language']);

const relationAndType = ['relation', 'type'];
/** Kinds whose names stand in one catalog exclude each other. */
const namespaces: Readonly<Record<string, readonly string[]>> = {
  table: relationAndType,
  view: relationAndType,
  'materialized view': relationAndType,
  'foreign table': relationAndType,
  'composite type': relationAndType,
  sequence: relationAndType,
  index: ['relation'],
  type: ['type'],
  function: ['routine'],
  procedure: ['routine'],
  aggregate: ['routine'],
};

function keysOf({ type, identity }: Identity): string[] {
  return (namespaces[type] ?? [type]).map((namespace) => `${namespace}\0${identity}`);
}

interface Identity {
  readonly type: string;
  readonly identity: string;
}

export interface Existing {
  /** Numbers of the objects that are there, shared ones included. */
  readonly found: ReadonlySet<number>;
  /** Those of them that stand in the way. */
  readonly conflicts: readonly SchemaObject[];
}

/** Which of the objects are at the destination already, by the identity that the server gives them. */
export async function findExisting(client: pg.Client, objects: readonly SchemaObject[]): Promise<Existing> {
  const { rows } = await client.query<{ type: string; identity: string }>(identitiesSql());
  const there = new Set(rows.flatMap(keysOf));
  const existing = objects.filter(
    ({ identity, leftOut }) => identity && !leftOut && keysOf(identity).some((key) => there.has(key)),
  );
  return {
    found: new Set(existing.map(({ number }) => number)),
    conflicts: existing.filter(({ identity }) => !shared.has(identity?.type ?? '')),
  };
}

/**
 * States of the objects that are not to be created: left out, or there already. What is no object of its own (a
 * comment, an owner, a setting) is kept as it is when all that it speaks of was there.
 */
export function initialStates(
  objects: readonly SchemaObject[],
  found: ReadonlySet<number>,
): Map<number, Pick<Outcome, 'state' | 'reason'>> {
  const states = new Map<number, Pick<Outcome, 'state' | 'reason'>>();
  const byNumber = new Map(objects.map((object) => [object.number, object]));
  for (const object of objects) {
    const { number, identity, leftOut } = object;
    if (leftOut) states.set(number, { state: 'left out', reason: leftOut });
    else if (identity ? found.has(number) : speaksOfKept(object))
      states.set(number, { state: 'existed', reason: null });
  }
  return states;

  function speaksOfKept({ table, needs = [] }: SchemaObject): boolean {
    const subjects = needs
      .flatMap((need) => byNumber.get(need) ?? [])
      .filter((need) => !shared.has(need.identity?.type ?? ''))
      .filter((need) => !table || (need.table && tableKey(need.table) === tableKey(table)));
    return subjects.length > 0 && subjects.every(({ number }) => states.get(number)?.state === 'existed');
  }
}
