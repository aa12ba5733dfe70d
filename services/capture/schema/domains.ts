import { quoteIdentifier, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { CreatedObject, DescribedObject, KindReader } from './described-object.ts';

interface DomainRow {
  oid: string;
  schema: string;
  name: string;
  type: string;
  not_null: string;
  default_value: string | null;
  collation: string | null;
  collation_schema: string | null;
  constraints: string;
}

interface DomainConstraint {
  name: string;
  definition: string;
  valid: boolean;
}

const domainsSql = `
  SELECT t.oid, n.nspname AS schema, t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS type,
    t.typnotnull AS not_null, coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault) AS default_value,
    c.collname AS collation, c_n.nspname AS collation_schema,
    coalesce((SELECT json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid),
        'valid', k.convalidated) ORDER BY k.conname)
      FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '[]') AS constraints
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype
  LEFT JOIN pg_collation c ON c.oid = t.typcollation AND t.typcollation <> b.typcollation
  LEFT JOIN pg_namespace c_n ON c_n.oid = c.collnamespace
  WHERE t.oid = ANY ($1::oid[]) AND t.typtype = 'd'`;

export const readDomains: KindReader<CreatedObject> = async ({ client, scope }) => {
  const { rows } = await client.query<DomainRow>(domainsSql, [scope.types]);
  return rows.map((row) => ({
    node: `t${row.oid}`,
    section: 'pre-data',
    kind: 'domain',
    schema: row.schema,
    name: row.name,
    table: null,
    sql: domainSql(row),
  }));
};

/** Those that hold for new values only, which CREATE DOMAIN cannot say. */
export const readUnvalidatedDomainConstraints: KindReader = async ({ client, scope }) => {
  const { rows } = await client.query<DomainRow>(domainsSql, [scope.types]);
  return rows.flatMap((row) =>
    constraintsOf(row)
      .filter(({ valid }) => !valid)
      .map(
        ({ name, definition }): DescribedObject => ({
          section: 'pre-data',
          kind: 'domain constraint',
          schema: row.schema,
          name,
          table: null,
          sql: `ALTER DOMAIN ${quoteTable(row)} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`,
        }),
      ),
  );
};

function constraintsOf(row: DomainRow): DomainConstraint[] {
  return JSON.parse(row.constraints) as DomainConstraint[];
}

function domainSql(row: DomainRow): string {
  const parts = [`CREATE DOMAIN ${quoteTable(row)} AS ${row.type}`];
  if (row.collation !== null && row.collation_schema !== null) {
    parts.push(`COLLATE ${quoteTable({ schema: row.collation_schema, name: row.collation })}`);
  }
  if (row.default_value !== null) parts.push(`DEFAULT ${row.default_value}`);
  if (row.not_null === 't') parts.push('NOT NULL');
  for (const { name, definition, valid } of constraintsOf(row)) {
    if (valid) parts.push(`CONSTRAINT ${quoteIdentifier(name)} ${definition}`);
  }
  return parts.join(' ');
}
