import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { madeByUser } from './user-objects.ts';

interface CastRow {
  oid: string;
  source: string;
  target: string;
  method: 'f' | 'i' | 'b';
  function: string | null;
  context: 'e' | 'a' | 'i';
}

const contexts = { e: '', a: ' AS ASSIGNMENT', i: ' AS IMPLICIT' } as const;
const methods = { i: 'WITH INOUT', b: 'WITHOUT FUNCTION' } as const;

/** Those that come with a range type are not among them. */
export const readCasts: KindReader = async ({ client }) => {
  const { rows } = await client.query<CastRow>(
    `SELECT c.oid, format_type(c.castsource, NULL) AS source, format_type(c.casttarget, NULL) AS target,
      c.castmethod AS method, nullif(c.castfunc, 0)::regprocedure::text AS function, c.castcontext AS context
    FROM pg_cast c WHERE ${madeByUser('pg_cast', 'c.oid')}
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'i')
    ORDER BY 2, 3`,
  );
  return rows.map(({ oid, source, target, method, function: routine, context }) => {
    const name = `(${source} AS ${target})`;
    const way = method === 'f' ? `WITH FUNCTION ${routine}` : methods[method];
    return {
      key: `pg_cast:${oid}`,
      section: 'pre-data',
      kind: 'cast',
      schema: '',
      name,
      table: null,
      sql: `CREATE CAST ${name} ${way}${contexts[context]}`,
      target: `CAST ${name}`,
    };
  });
};

interface TransformRow {
  oid: string;
  type: string;
  language: string;
  from_sql: string | null;
  to_sql: string | null;
}

export const readTransforms: KindReader = async ({ client }) => {
  const { rows } = await client.query<TransformRow>(
    `SELECT t.oid, format_type(t.trftype, NULL) AS type, l.lanname AS language,
      nullif(t.trffromsql::oid, 0)::regprocedure::text AS from_sql,
      nullif(t.trftosql::oid, 0)::regprocedure::text AS to_sql
    FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE ${madeByUser('pg_transform', 't.oid')}
    ORDER BY 2, 3`,
  );
  return rows.map(({ oid, type, language, from_sql: from, to_sql: to }) => {
    const name = `FOR ${type} LANGUAGE ${quoteIdentifier(language)}`;
    const functions = [
      ...(from === null ? [] : [`FROM SQL WITH FUNCTION ${from}`]),
      ...(to === null ? [] : [`TO SQL WITH FUNCTION ${to}`]),
    ];
    return {
      key: `pg_transform:${oid}`,
      section: 'pre-data',
      kind: 'transform',
      schema: '',
      name,
      table: null,
      sql: `CREATE TRANSFORM ${name} (${functions.join(', ')})`,
      target: `TRANSFORM ${name}`,
    };
  });
};
