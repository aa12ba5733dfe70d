import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface RoutineRow {
  oid: string;
  schema: string;
  name: string;
  procedure: string;
  arguments: string;
  definition: string;
}

/**
 * Functions, window functions and procedures; their bodies are not looked at when they are created. Those that come
 * with a range type are not among them.
 */
export const readRoutines: KindReader = async ({ client, version }) => {
  const kinds = version >= 110_000 ? `p.prokind IN ('f', 'p', 'w')` : 'NOT p.proisagg';
  const { rows } = await client.query<RoutineRow>(
    `SELECT p.oid, n.nspname AS schema, p.proname AS name,
      ${version >= 110_000 ? `p.prokind = 'p'` : 'false'} AS procedure,
      pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_functiondef(p.oid) AS definition
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE ${kinds} AND ${inUserSchema('pg_proc', 'p.oid')}
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    ORDER BY 2, 3, 5`,
  );
  return rows.map((row) => {
    const kind = row.procedure === 't' ? 'procedure' : 'function';
    return {
      key: `pg_proc:${row.oid}`,
      section: 'pre-data',
      kind,
      schema: row.schema,
      name: row.name,
      table: null,
      // One that is there already is not to be overwritten.
      sql: row.definition.replace(/^CREATE OR REPLACE /, 'CREATE ').trimEnd(),
      target: `${kind.toUpperCase()} ${quoteTable(row)}(${row.arguments})`,
    };
  });
};
