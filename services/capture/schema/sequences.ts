import { quoteIdentifier, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import { type SequenceOptions, sequenceOptions, sequenceOptionsSql } from './sequence-options.ts';
import { inUserSchema } from './user-objects.ts';

interface SequenceRow extends SequenceOptions {
  oid: string;
  schema: string;
  name: string;
  unlogged: string;
  owner: string | null;
}

interface Owner extends TableName {
  oid: string;
  column: string;
  number: number;
}

/** Sequences other than those of identity columns, and which column each goes with when it is dropped. */
export const readSequences: KindReader = async ({ client }) => {
  const { rows } = await client.query<SequenceRow>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged, ${sequenceOptionsSql},
      (SELECT json_build_object('oid', t.oid::text, 'schema', tn.nspname, 'name', t.relname, 'column', a.attname, 'number', a.attnum)
        FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
          AND d.deptype = 'a') AS owner
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND ${inUserSchema('pg_class', 'c.oid')}
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
    ORDER BY 2, 3`,
  );
  return rows.flatMap((row) => {
    const owner = row.owner === null ? null : (JSON.parse(row.owner) as Owner);
    const sequence = describeSequence(row, owner);
    return owner === null ? [sequence] : [sequence, ownership(sequence, owner)];
  });
};

function describeSequence(row: SequenceRow, owner: Owner | null): DescribedObject {
  const { oid, schema, name } = row;
  const create = `CREATE ${row.unlogged === 't' ? 'UNLOGGED ' : ''}SEQUENCE ${quoteTable(row)}`;
  return {
    key: `pg_class:${oid}`,
    section: 'pre-data',
    kind: 'sequence',
    schema,
    name,
    table: null,
    sql: `${create} AS ${row.type} ${sequenceOptions(row)}`,
    target: `SEQUENCE ${quoteTable(row)}`,
    lineage: owner === null ? [] : [owner],
  };
}

function ownership({ key, schema, name }: DescribedObject, owner: Owner): DescribedObject {
  const table = { schema: owner.schema, name: owner.name };
  return {
    key: `${key}/ownership`,
    section: 'pre-data',
    kind: 'sequence ownership',
    schema,
    name,
    table,
    sql: `ALTER SEQUENCE ${quoteTable({ schema, name })} OWNED BY ${quoteTable(table)}.${quoteIdentifier(owner.column)}`,
    of: key,
    needs: [`pg_class:${owner.oid}`, `pg_class:${owner.oid}#${owner.number}`],
  };
}
