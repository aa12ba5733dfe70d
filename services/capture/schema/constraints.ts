import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { Catalog, DescribedObject, KindReader } from './described-object.ts';
import { withClause } from './options.ts';
import { inUserSchema } from './user-objects.ts';

interface ConstraintRow {
  oid: string;
  table_oid: string;
  schema: string;
  table: string;
  name: string;
  type: 'p' | 'u' | 'x' | 'c' | 'n' | 'f';
  definition: string;
  options: string | null;
  /** DEFERRABLE INITIALLY DEFERRED, as the definition ends. */
  deferral: string;
  /** Keys of the constraints of its parents from which it comes, as JSON. */
  above: string | null;
}

const kinds = { p: 'primary key', u: 'unique', x: 'exclusion', c: 'check', n: 'not null', f: 'foreign key' } as const;

async function readRows({ client }: Catalog, condition: string): Promise<ConstraintRow[]> {
  const { rows } = await client.query<ConstraintRow>(
    `SELECT k.oid, k.conrelid AS table_oid, n.nspname AS schema, c.relname AS table, k.conname AS name, k.contype AS type,
      pg_get_constraintdef(k.oid) AS definition, array_to_json(i.reloptions) AS options,
      CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferral,
      CASE WHEN k.contype IN ('c', 'n') AND NOT k.conislocal THEN (SELECT json_agg('pg_constraint:' || p.oid)
        FROM pg_inherits h JOIN pg_constraint p ON p.conrelid = h.inhparent AND p.conname = k.conname
        WHERE h.inhrelid = k.conrelid) END AS above
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
    WHERE ${condition} AND ${inUserSchema('pg_class', 'c.oid')}
    ORDER BY array_position('{p,u,x,c,n}'::text[], k.contype::text), n.nspname, c.relname, k.conname`,
  );
  return rows;
}

/**
 * Constraints with an index. Those of partitions are created by themselves too, so that their names are the same
 * at both ends, and attached to the parent's afterwards.
 */
export const readIndexConstraints: KindReader = async (catalog) => {
  const rows = await readRows(catalog, `k.contype IN ('p', 'u', 'x')`);
  return rows.map((row) => describe(row, 'post-data', 'ALTER TABLE ONLY'));
};

/** Checks and not-null constraints that hold for new rows only; those of a parent go down to its children. */
export const readUnvalidatedConstraints: KindReader = async (catalog) => {
  const condition = `k.contype IN ('c', 'n') AND NOT k.convalidated AND k.conislocal AND k.coninhcount = 0`;
  const rows = await readRows(catalog, condition);
  return rows.map((row) => describe(row, 'post-data', 'ALTER TABLE'));
};

/** Those of a child that was empty when its parent's did not hold for all rows: they come to it unvalidated. */
export const readValidations: KindReader = async (catalog) => {
  const rows = await readRows(
    catalog,
    `k.contype IN ('c', 'n') AND k.convalidated AND NOT k.conislocal AND NOT c.relispartition
      AND EXISTS (SELECT FROM pg_inherits h JOIN pg_constraint p ON p.conrelid = h.inhparent
        WHERE h.inhrelid = k.conrelid AND p.conname = k.conname AND p.contype = k.contype AND NOT p.convalidated
          ${catalog.version >= 180_000 ? 'AND p.conenforced' : ''})`,
  );
  return rows.map((row) => {
    const { oid, schema, name } = row;
    const table = { schema, name: row.table };
    const sql = `ALTER TABLE ${quoteTable(table)} VALIDATE CONSTRAINT ${quoteIdentifier(name)}`;
    const key = `pg_constraint:${oid}/validation`;
    const of = `pg_class:${row.table_oid}`;
    const needs = row.above === null ? [] : (JSON.parse(row.above) as string[]);
    return { key, section: 'post-data', kind: 'validation', schema, name, table, sql, of, needs };
  });
};

/** Between tables that are both carried; those of partitioned tables go down to the partitions. */
export const readForeignKeys: KindReader = async (catalog) => {
  const rows = await readRows(catalog, `k.contype = 'f' ${catalog.version >= 110_000 ? 'AND k.conparentid = 0' : ''}`);
  return rows.map((row) => describe(row, 'foreign-keys', 'ALTER TABLE'));
};

function describe(row: ConstraintRow, section: DescribedObject['section'], alter: string): DescribedObject {
  const table = { schema: row.schema, name: row.table };
  const name = quoteIdentifier(row.name);
  return {
    key: `pg_constraint:${row.oid}`,
    section,
    kind: kinds[row.type],
    schema: row.schema,
    name: row.name,
    table,
    sql: addConstraint(row, `${alter} ${quoteTable(table)} ADD CONSTRAINT ${name}`),
    target: `CONSTRAINT ${name} ON ${quoteTable(table)}`,
    of: `pg_class:${row.table_oid}`,
  };
}

/** The server's definition leaves out the storage options of the index. */
function addConstraint(
  { type, table, schema, name, definition, deferral, options }: ConstraintRow,
  add: string,
): string {
  const settings = withClause(options);
  if (settings === '') return `${add} ${definition}`;
  if (type === 'x') return `${add} ${definition}; ALTER INDEX ${quoteTable({ schema, name })} SET${settings.slice(5)}`;
  if (!definition.endsWith(deferral)) throw new TypeError(`${schema}.${table}: ${definition}`);
  return `${add} ${definition.slice(0, definition.length - deferral.length)}${settings}${deferral}`;
}
