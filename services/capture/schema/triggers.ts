import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import { TRUNCATE_LOGGER } from '../../../shared/task/truncate-log.ts';
import type { Catalog, DescribedObject, KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface StateRow {
  oid: string;
  table_oid: string;
  schema: string;
  table: string;
  /** pg_class.relkind */
  kind: string;
  name: string;
  definition: string;
  /** `O` enabled, `D` disabled, `R` replica, `A` always. */
  enabled: 'O' | 'D' | 'R' | 'A';
  /** Oids of the triggers that it came with, as JSON: those of the partitioned tables above. */
  ancestors: string;
}

/**
 * Triggers and rules. On tables they come disabled, since those that are ENABLE ALWAYS act on what a sink writes too;
 * their states come at cutover. Nothing is written to views.
 */
export const readTriggers: KindReader = async (catalog) => {
  const triggers = await readTriggerRows(catalog);
  return triggers.flatMap((row) => [describe('trigger', row), ...stateOf('trigger', row)]);
};

export const readRules: KindReader = async ({ client }) => {
  const { rows } = await client.query<StateRow>(
    `SELECT r.oid, c.oid AS table_oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind, r.rulename AS name,
      pg_get_ruledef(r.oid) AS definition, r.ev_enabled AS enabled, '[]' AS ancestors
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND ${inUserSchema('pg_class', 'c.oid')}
    ORDER BY 3, 4, 6`,
  );
  return rows.flatMap((row) => [describe('rule', row), ...stateOf('rule', row)]);
};

async function readTriggerRows({ client, version }: Catalog): Promise<StateRow[]> {
  const { rows } = await client.query<StateRow>(
    `SELECT t.oid, c.oid AS table_oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind, t.tgname AS name,
      pg_get_triggerdef(t.oid) AS definition, t.tgenabled AS enabled, '[]' AS ancestors
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal ${version >= 130_000 ? 'AND t.tgparentid = 0' : ''} AND ${inUserSchema('pg_class', 'c.oid')}
      AND t.tgfoid IS DISTINCT FROM to_regprocedure('${TRUNCATE_LOGGER}')
    ORDER BY 3, 4, 6`,
  );
  return rows;
}

/** Triggers of partitions come with that of the partitioned table; here those that have another state than the one above. */
export const readPartitionTriggerStates: KindReader = async ({ client, version }) => {
  if (version < 110_000) return [];
  const parent =
    version >= 130_000
      ? 't.tgparentid'
      : `(SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
          AND d.refclassid = 'pg_trigger'::regclass LIMIT 1)`;
  const { rows } = await client.query<StateRow>(
    `WITH RECURSIVE parent AS (SELECT t.oid, ${parent} AS parent FROM pg_trigger t),
    ancestor(oid, above) AS (
      SELECT oid, parent FROM parent WHERE parent <> 0
      UNION ALL SELECT a.oid, p.parent FROM ancestor a JOIN parent p ON p.oid = a.above WHERE p.parent <> 0)
    SELECT t.oid, c.oid AS table_oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind, t.tgname AS name,
      '' AS definition, t.tgenabled AS enabled,
      (SELECT json_agg(a.above::text) FROM ancestor a WHERE a.oid = t.oid) AS ancestors
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN parent ON parent.oid = t.oid JOIN pg_trigger p ON p.oid = parent.parent
    WHERE p.tgenabled <> t.tgenabled AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype = 'f')
      AND ${inUserSchema('pg_class', 'c.oid')}
    ORDER BY 3, 4, 6`,
  );
  return rows.map((row) => state('trigger', row));
};

const isView = ({ kind }: StateRow) => kind === 'v';

function describe(kind: 'trigger' | 'rule', row: StateRow): DescribedObject {
  const catalog = kind === 'trigger' ? 'pg_trigger' : 'pg_rewrite';
  const definition = row.definition.trim().replace(/;$/, '');
  const name = quoteIdentifier(row.name);
  return {
    ...belonging(row),
    key: `${catalog}:${row.oid}`,
    section: 'post-data',
    kind,
    sql: isView(row) ? definition : `${definition}; ALTER TABLE ${tableOf(row)} DISABLE ${kind.toUpperCase()} ${name}`,
    target: `${kind.toUpperCase()} ${name} ON ${tableOf(row)}`,
  };
}

/** Views have theirs enabled from the start. */
function stateOf(kind: 'trigger' | 'rule', row: StateRow): DescribedObject[] {
  const start = isView(row) ? 'O' : 'D';
  return row.enabled === start ? [] : [state(kind, row)];
}

const actions = { O: 'ENABLE', D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

function state(kind: 'trigger' | 'rule', row: StateRow): DescribedObject {
  const catalog = kind === 'trigger' ? 'pg_trigger' : 'pg_rewrite';
  const own = `${catalog}:${row.oid}`;
  // A partitioned table's state goes to its partitions, too: theirs come afterwards.
  const above = JSON.parse(row.ancestors) as string[];
  const change = `${actions[row.enabled]} ${kind.toUpperCase()} ${quoteIdentifier(row.name)}`;
  return {
    ...belonging(row),
    key: `${own}/state`,
    section: 'cutover',
    kind: `${kind} state`,
    sql: `ALTER TABLE ${tableOf(row)} ${change}`,
    needs: above.length === 0 ? [own] : above.flatMap((oid) => [`${catalog}:${oid}`, `${catalog}:${oid}/state`]),
  };
}

function tableOf({ schema, table }: StateRow): string {
  return quoteTable({ schema, name: table });
}

function belonging(row: StateRow): Pick<DescribedObject, 'schema' | 'name' | 'table' | 'of'> {
  const { schema, name } = row;
  const table = row.kind === 'r' || row.kind === 'p' ? { schema, name: row.table } : null;
  return { schema, name, table, of: `pg_class:${row.table_oid}` };
}
