import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader, Part } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface DomainRow {
  oid: string;
  schema: string;
  name: string;
  type: string;
  base_oid: string;
  not_null: string;
  default_value: string | null;
  collation: string | null;
  collation_schema: string | null;
  constraints: string;
}

interface DomainConstraint {
  oid: string;
  name: string;
  /** Of a not-null constraint, from 17 on: the name is not the one that the server would choose. */
  type: 'c' | 'n';
  definition: string;
  valid: boolean;
}

const domainsSql = `
  SELECT t.oid, n.nspname AS schema, t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS type, t.typbasetype AS base_oid,
    t.typnotnull AS not_null, coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault) AS default_value,
    c.collname AS collation, c_n.nspname AS collation_schema,
    coalesce((SELECT json_agg(json_build_object('oid', k.oid::text, 'name', k.conname, 'type', k.contype,
        'definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated) ORDER BY k.conname)
      FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype IN ('c', 'n')), '[]') AS constraints
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype
  LEFT JOIN pg_collation c ON c.oid = t.typcollation AND t.typcollation <> b.typcollation
  LEFT JOIN pg_namespace c_n ON c_n.oid = c.collnamespace
  WHERE t.typtype = 'd' AND ${inUserSchema('pg_type', 't.oid')}
  ORDER BY 2, 3`;

export const readDomains: KindReader = async ({ client }) => {
  const { rows } = await client.query<DomainRow>(domainsSql);
  return rows.flatMap((row) => [describeDomain(row), ...unvalidatedConstraints(row)]);
};

function describeDomain(row: DomainRow): DescribedObject {
  const valid = constraintsOf(row).filter((constraint) => constraint.valid);
  return {
    key: `pg_type:${row.oid}`,
    section: 'pre-data',
    kind: 'domain',
    schema: row.schema,
    name: row.name,
    table: null,
    sql: domainSql(row, valid),
    target: `DOMAIN ${quoteTable(row)}`,
    // Servers have lost this entry of pg_depend when a domain was altered.
    needs: [`pg_type:${row.base_oid}`],
    parts: valid.filter(({ type }) => type === 'c').map((constraint) => constraintPart(row, constraint)),
    without: (later) =>
      domainSql(
        row,
        valid.filter((constraint) => !later.has(constraintPart(row, constraint).key)),
      ),
  };
}

function constraintPart(row: DomainRow, { oid, name, definition }: DomainConstraint): Part {
  const sql = `ALTER DOMAIN ${quoteTable(row)} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`;
  return { key: `pg_constraint:${oid}`, kind: 'domain constraint', name, sql };
}

/** Those that hold for new values only, which CREATE DOMAIN cannot say. */
function unvalidatedConstraints(row: DomainRow): DescribedObject[] {
  const domain = `pg_type:${row.oid}`;
  return constraintsOf(row)
    .filter(({ valid }) => !valid)
    .map((constraint) => ({
      ...constraintPart(row, constraint),
      section: 'pre-data',
      schema: row.schema,
      table: null,
      needs: [domain],
      of: domain,
    }));
}

function constraintsOf(row: DomainRow): DomainConstraint[] {
  return JSON.parse(row.constraints) as DomainConstraint[];
}

function domainSql(row: DomainRow, constraints: readonly DomainConstraint[]): string {
  const parts = [`CREATE DOMAIN ${quoteTable(row)} AS ${row.type}`];
  if (row.collation !== null && row.collation_schema !== null) {
    parts.push(`COLLATE ${quoteTable({ schema: row.collation_schema, name: row.collation })}`);
  }
  if (row.default_value !== null) parts.push(`DEFAULT ${row.default_value}`);
  const named = constraints.find(({ type }) => type === 'n');
  if (row.not_null === 't') parts.push(named ? `CONSTRAINT ${quoteIdentifier(named.name)} NOT NULL` : 'NOT NULL');
  for (const { name, type, definition } of constraints) {
    if (type === 'c') parts.push(`CONSTRAINT ${quoteIdentifier(name)} ${definition}`);
  }
  return parts.join(' ');
}
