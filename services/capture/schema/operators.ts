import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface OperatorRow {
  oid: string;
  schema: string;
  name: string;
  function: string;
  left: string | null;
  right: string | null;
  commutator: string | null;
  negator: string | null;
  restrict: string | null;
  join: string | null;
  merges: string;
  hashes: string;
}

const operatorName = (column: string) => `(SELECT format('OPERATOR(%I.%s)', xn.nspname, x.oprname)
  FROM pg_operator x JOIN pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = o.${column})`;
const type = (column: string) => `CASE WHEN o.${column} <> 0 THEN format_type(o.${column}, NULL) END`;

/** Operators that have a function: the others are only named by those of which they are the commutator or negator. */
export const readOperators: KindReader = async ({ client }) => {
  const { rows } = await client.query<OperatorRow>(
    `SELECT o.oid, n.nspname AS schema, o.oprname AS name, o.oprcode::text AS function,
      ${type('oprleft')} AS "left", ${type('oprright')} AS "right",
      ${operatorName('oprcom')} AS commutator, ${operatorName('oprnegate')} AS negator,
      nullif(o.oprrest::oid, 0)::regproc::text AS restrict, nullif(o.oprjoin::oid, 0)::regproc::text AS "join",
      o.oprcanmerge AS merges, o.oprcanhash AS hashes
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE o.oprcode::oid <> 0 AND ${inUserSchema('pg_operator', 'o.oid')}
    ORDER BY 2, 3, 5, 6`,
  );
  return rows.map((row) => {
    // The name of an operator is no identifier: it is never quoted.
    const name = `${quoteIdentifier(row.schema)}.${row.name}`;
    return {
      key: `pg_operator:${row.oid}`,
      section: 'pre-data',
      kind: 'operator',
      schema: row.schema,
      name: row.name,
      table: null,
      sql: `CREATE OPERATOR ${name} (${operatorOptions(row).join(', ')})`,
      target: `OPERATOR ${name} (${row.left ?? 'NONE'}, ${row.right ?? 'NONE'})`,
    };
  });
};

function operatorOptions(row: OperatorRow): string[] {
  const given = (name: string, value: string | null) => (value === null ? [] : [`${name} = ${value}`]);
  return [
    `PROCEDURE = ${row.function}`,
    ...given('LEFTARG', row.left),
    ...given('RIGHTARG', row.right),
    ...given('COMMUTATOR', row.commutator),
    ...given('NEGATOR', row.negator),
    ...given('RESTRICT', row.restrict),
    ...given('JOIN', row.join),
    ...(row.merges === 't' ? ['MERGES'] : []),
    ...(row.hashes === 't' ? ['HASHES'] : []),
  ];
}
