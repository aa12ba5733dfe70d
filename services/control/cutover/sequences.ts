import type pg from 'pg';
import { quoteTable, type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { readTableSelection } from '../../../shared/task/selected-tables.ts';
import { selector, tableFilter } from '../../../shared/task/selection.ts';
import type { Task } from '../../../shared/task/task.ts';

export interface SequenceValue extends TableName {
  readonly lastValue: string;
  readonly isCalled: boolean;
}

interface SequenceRow extends TableName {
  readonly owner_schema: string | null;
  readonly owner_table: string | null;
}

/** Sequences with the table that owns them: serial columns (a) and identity columns (i). */
const sequencesSql = `
  SELECT n.nspname AS schema, c.relname AS name, tn.nspname AS owner_schema, t.relname AS owner_table
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
  LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  WHERE c.relkind = 'S' AND c.relpersistence <> 't'
  ORDER BY 1, 2`;

/**
 * Gives the destination's sequences the source's values: those of tables that the sink takes, and free ones of
 * selected schemas, as far as they exist at both ends.
 */
export async function setSequences(source: pg.Client, destination: pg.Client, task: Task): Promise<SequenceValue[]> {
  const wanted = await selectedSequences(source, task);
  const { rows } = await destination.query<SequenceRow>(sequencesSql);
  const present = new Set(rows.map(tableKey));
  const set: SequenceValue[] = [];
  for (const sequence of wanted.filter((one) => present.has(tableKey(one)))) {
    const value = await readSequence(source, sequence);
    await destination.query('SELECT setval($1::regclass, $2::bigint, $3::boolean)', [
      quoteTable(sequence),
      value.lastValue,
      value.isCalled,
    ]);
    set.push(value);
  }
  return set;
}

async function selectedSequences(source: pg.Client, task: Task): Promise<TableName[]> {
  const { rows } = await source.query<SequenceRow>(sequencesSql);
  const { tables } = await readTableSelection(source, task.selection);
  const takes = task.sink.tables === null ? () => true : tableFilter(task.sink.tables);
  const owners = new Set<string>();
  for (const { shape, partitionRoot } of tables) {
    if (!takes(partitionRoot ? [shape, partitionRoot] : [shape])) continue;
    owners.add(tableKey(shape));
    if (partitionRoot) owners.add(tableKey(partitionRoot));
  }
  const schemas = selector(task.selection);
  return rows.filter(({ schema, owner_schema, owner_table }) =>
    owner_schema === null || owner_table === null
      ? schemas.schema(schema)
      : owners.has(tableKey({ schema: owner_schema, name: owner_table })),
  );
}

async function readSequence(source: pg.Client, { schema, name }: TableName): Promise<SequenceValue> {
  const sql = `SELECT last_value, is_called::text AS is_called FROM ${quoteTable({ schema, name })}`;
  const { rows } = await source.query<{ last_value: string; is_called: string }>(sql);
  return { schema, name, lastValue: rows[0]?.last_value ?? '1', isCalled: rows[0]?.is_called === 'true' };
}
