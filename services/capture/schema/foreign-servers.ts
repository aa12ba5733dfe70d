import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { Catalog, DescribedObject, KindReader } from './described-object.ts';
import { foreignOptions } from './foreign-options.ts';
import { roleName } from './roles.ts';
import { madeByUser } from './user-objects.ts';

export const FOREIGN_LEFT_OUT = 'foreign servers are carried with schema.foreignServers only';

interface Row {
  oid: string;
  name: string;
  options: string | null;
}

interface WrapperRow extends Row {
  handler: string | null;
  validator: string | null;
}

interface ServerRow extends Row {
  wrapper: string;
  type: string | null;
  version: string | null;
}

interface MappingRow extends Row {
  server_oid: string;
  server: string;
  /** null: PUBLIC. */
  role: string | null;
}

/** Foreign data wrappers, servers and user mappings, without the secrets among their options. */
export const readForeignServers: KindReader = async (catalog) => {
  const found = [...(await readWrappers(catalog)), ...(await readServers(catalog)), ...(await readMappings(catalog))];
  if (catalog.options.foreignServers) return found;
  return found
    .filter(({ leftOut }) => leftOut === undefined)
    .map((object) => ({ ...object, leftOut: FOREIGN_LEFT_OUT }));
};

async function readWrappers({ client }: Catalog): Promise<DescribedObject[]> {
  const { rows } = await client.query<WrapperRow>(
    `SELECT w.oid, w.fdwname AS name, array_to_json(w.fdwoptions) AS options,
      nullif(w.fdwhandler, 0)::regproc::text AS handler, nullif(w.fdwvalidator, 0)::regproc::text AS validator
    FROM pg_foreign_data_wrapper w WHERE ${madeByUser('pg_foreign_data_wrapper', 'w.oid')} ORDER BY 2`,
  );
  return rows.flatMap((row) => {
    const target = `FOREIGN DATA WRAPPER ${quoteIdentifier(row.name)}`;
    const parts = [`CREATE ${target}`];
    if (row.handler !== null) parts.push(`HANDLER ${row.handler}`);
    if (row.validator !== null) parts.push(`VALIDATOR ${row.validator}`);
    const key = `pg_foreign_data_wrapper:${row.oid}`;
    return described(row, { key, kind: 'foreign data wrapper', sql: parts.join(' '), target });
  });
}

async function readServers({ client }: Catalog): Promise<DescribedObject[]> {
  const { rows } = await client.query<ServerRow>(
    `SELECT s.oid, s.srvname AS name, w.fdwname AS wrapper, s.srvtype AS type, s.srvversion AS version,
      array_to_json(s.srvoptions) AS options
    FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    WHERE ${madeByUser('pg_foreign_server', 's.oid')} ORDER BY 2`,
  );
  return rows.flatMap((row) => {
    const parts = [`CREATE SERVER ${quoteIdentifier(row.name)}`];
    if (row.type !== null) parts.push(`TYPE ${quoteLiteral(row.type)}`);
    if (row.version !== null) parts.push(`VERSION ${quoteLiteral(row.version)}`);
    parts.push(`FOREIGN DATA WRAPPER ${quoteIdentifier(row.wrapper)}`);
    const target = `SERVER ${quoteIdentifier(row.name)}`;
    return described(row, { key: `pg_foreign_server:${row.oid}`, kind: 'server', sql: parts.join(' '), target });
  });
}

async function readMappings({ client, options }: Catalog): Promise<DescribedObject[]> {
  const { rows } = await client.query<MappingRow>(
    `SELECT m.umid AS oid, m.srvid AS server_oid, m.srvname AS server, CASE WHEN m.umuser <> 0 THEN m.usename END AS role,
      coalesce(m.usename, 'public') || ' on ' || m.srvname AS name, array_to_json(m.umoptions) AS options
    FROM pg_user_mappings m WHERE ${madeByUser('pg_foreign_server', 'm.srvid')} ORDER BY 5`,
  );
  return rows.flatMap((row) => {
    const sql = `CREATE USER MAPPING FOR ${roleName(row.role, options)} SERVER ${quoteIdentifier(row.server)}`;
    const key = `pg_user_mapping:${row.oid}`;
    return described(row, { key, kind: 'user mapping', sql, of: `pg_foreign_server:${row.server_oid}` });
  });
}

type Own = Pick<DescribedObject, 'key' | 'kind' | 'sql' | 'target' | 'of'>;

/** The object, and each secret that it is made without. */
function described({ name, options }: Row, own: Own): DescribedObject[] {
  const { clause, withheld } = foreignOptions(options);
  const common = { section: 'pre-data', schema: '', name, table: null } as const;
  return [
    { ...common, ...own, sql: own.sql + clause },
    ...withheld.map((option) => ({
      ...common,
      key: `${own.key}/option ${option}`,
      kind: `${own.kind} option`,
      name: `${option} of ${name}`,
      sql: '',
      of: own.key,
      leftOut: 'a secret: set it at the destination',
    })),
  ];
}
