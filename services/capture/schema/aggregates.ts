import { quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { inUserSchema } from './user-objects.ts';

interface AggregateRow {
  oid: string;
  schema: string;
  name: string;
  arguments: string;
  identity: string;
  /** `n` plain, `o` ordered-set, `h` hypothetical. */
  kind: string;
  sfunc: string;
  stype: string;
  sspace: string;
  finalfunc: string | null;
  final_extra: string;
  final_modify: string | null;
  combine: string | null;
  serial: string | null;
  deserial: string | null;
  initial: string | null;
  msfunc: string | null;
  minvfunc: string | null;
  mstype: string | null;
  mspace: string;
  mfinal: string | null;
  mfinal_extra: string;
  mfinal_modify: string | null;
  minitial: string | null;
  sort: string | null;
  parallel: string;
}

const routine = (column: string) => `nullif(a.${column}::oid, 0)::regproc::text`;

/** Words for finalmodify and mfinalmodify other than the one that is meant without. */
function modifySql(version: number, column: string): string {
  if (version < 110_000) return 'NULL';
  const usual = `CASE a.aggkind WHEN 'n' THEN 'r' ELSE 'w' END`;
  return `CASE WHEN a.${column} <> ${usual} THEN
    CASE a.${column} WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END`;
}

export const readAggregates: KindReader = async ({ client, version }) => {
  const { rows } = await client.query<AggregateRow>(
    `SELECT p.oid, n.nspname AS schema, p.proname AS name, pg_get_function_arguments(p.oid) AS arguments,
      pg_get_function_identity_arguments(p.oid) AS identity, a.aggkind AS kind,
      ${routine('aggtransfn')} AS sfunc, format_type(a.aggtranstype, NULL) AS stype, a.aggtransspace AS sspace,
      ${routine('aggfinalfn')} AS finalfunc, a.aggfinalextra AS final_extra,
      ${modifySql(version, 'aggfinalmodify')} AS final_modify,
      ${routine('aggcombinefn')} AS combine, ${routine('aggserialfn')} AS serial, ${routine('aggdeserialfn')} AS deserial,
      a.agginitval AS initial, ${routine('aggmtransfn')} AS msfunc, ${routine('aggminvtransfn')} AS minvfunc,
      CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
      a.aggmtransspace AS mspace, ${routine('aggmfinalfn')} AS mfinal, a.aggmfinalextra AS mfinal_extra,
      ${modifySql(version, 'aggmfinalmodify')} AS mfinal_modify, a.aggminitval AS minitial,
      (SELECT format('OPERATOR(%I.%s)', o_n.nspname, o.oprname)
        FROM pg_operator o JOIN pg_namespace o_n ON o_n.oid = o.oprnamespace WHERE o.oid = a.aggsortop) AS sort,
      p.proparallel AS parallel
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE ${inUserSchema('pg_proc', 'p.oid')}
    ORDER BY 2, 3, 5`,
  );
  return rows.map((row) => ({
    key: `pg_proc:${row.oid}`,
    section: 'pre-data',
    kind: 'aggregate',
    schema: row.schema,
    name: row.name,
    table: null,
    sql: `CREATE AGGREGATE ${quoteTable(row)}(${row.arguments || '*'}) (${aggregateOptions(row).join(', ')})`,
    target: `AGGREGATE ${quoteTable(row)}(${row.identity || '*'})`,
  }));
};

const parallels: Readonly<Record<string, string>> = { s: 'SAFE', r: 'RESTRICTED' };

function aggregateOptions(row: AggregateRow): string[] {
  const options = [`SFUNC = ${row.sfunc}`, `STYPE = ${row.stype}`, ...state(row), ...movingState(row)];
  if (row.sort !== null) options.push(`SORTOP = ${row.sort}`);
  if (row.kind === 'h') options.push('HYPOTHETICAL');
  const parallel = parallels[row.parallel];
  if (parallel !== undefined) options.push(`PARALLEL = ${parallel}`);
  return options;
}

function state(row: AggregateRow): string[] {
  return [
    ...(row.sspace === '0' ? [] : [`SSPACE = ${row.sspace}`]),
    ...given('FINALFUNC', row.finalfunc),
    ...(row.final_extra === 't' ? ['FINALFUNC_EXTRA'] : []),
    ...(row.finalfunc === null ? [] : given('FINALFUNC_MODIFY', row.final_modify)),
    ...given('COMBINEFUNC', row.combine),
    ...given('SERIALFUNC', row.serial),
    ...given('DESERIALFUNC', row.deserial),
    ...given('INITCOND', row.initial === null ? null : quoteLiteral(row.initial)),
  ];
}

function movingState(row: AggregateRow): string[] {
  return [
    ...given('MSFUNC', row.msfunc),
    ...given('MINVFUNC', row.minvfunc),
    ...given('MSTYPE', row.mstype),
    ...(row.mspace === '0' ? [] : [`MSSPACE = ${row.mspace}`]),
    ...given('MFINALFUNC', row.mfinal),
    ...(row.mfinal_extra === 't' ? ['MFINALFUNC_EXTRA'] : []),
    ...(row.mfinal === null ? [] : given('MFINALFUNC_MODIFY', row.mfinal_modify)),
    ...given('MINITCOND', row.minitial === null ? null : quoteLiteral(row.minitial)),
  ];
}

function given(name: string, value: string | null): string[] {
  return value === null ? [] : [`${name} = ${value}`];
}
