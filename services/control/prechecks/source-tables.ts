import type pg from 'pg';
import { type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { type LeftOutTable, readTableSelection, withoutIdentity } from '../../../shared/task/selected-tables.ts';
import type { Task } from '../../../shared/task/task.ts';
import { type PrecheckContext, type Problem, precheck, someNames, streams } from './finding.ts';

const namesOf = (tables: readonly TableName[]) => someNames(tables.map(tableKey));

export const selectionMatches = precheck({
  name: 'selected tables',
  look: async ({ tables, objects }) => ({ tables, objects }),
  judge: ({ tables, objects }, task) =>
    tables.length > 0 || (!task.types.has('full') && objects.length > 0)
      ? []
      : [
          {
            code: 'CONFIG_INVALID',
            message: 'the task selects no table of the source',
            remedy: 'Correct schemas and tables of the task definition; the source account must see them.',
          },
        ],
});

export const tablesReadable = precheck({
  name: 'rights on the selected tables',
  look: async ({ tables }) => tables,
  judge: (tables, task) => {
    const unreadable = tables.filter((table) => !table.readable);
    const hidden = tables.filter((table) => table.rowSecurity);
    const foreign = streams(task) ? tables.filter((table) => !table.owned) : [];
    return [
      ...problem(unreadable, (names) => ({
        code: 'POSTGRES_PERMISSION_DENIED',
        message: `the source account may not read ${names}`,
        remedy: 'GRANT SELECT on them and USAGE on their schemas to the account.',
      })),
      ...problem(hidden, (names) => ({
        code: 'POSTGRES_PERMISSION_DENIED',
        message: `row security hides rows of ${names} from the source account`,
        remedy: 'Use an account with BYPASSRLS, or the owner of the tables.',
      })),
      ...problem(foreign, (names) => ({
        code: 'POSTGRES_PERMISSION_DENIED',
        message: `the source account does not own ${names}, so it cannot publish their changes`,
        remedy: 'Make the account a member of the owning role, or leave the tables out.',
      })),
    ];
  },
});

export const publicationRight = precheck({
  name: 'right to create a publication',
  when: streams,
  look: async ({ source }) => {
    const { rows } = await source.query(`SELECT current_user AS account, current_database() AS database,
      has_database_privilege(current_database(), 'CREATE')::text AS may`);
    return rows[0] as { account: string; database: string; may: string };
  },
  judge: ({ account, database, may }) =>
    may === 'true'
      ? []
      : [
          {
            code: 'POSTGRES_PERMISSION_DENIED',
            message: `the source account ${account} may not create a publication in database ${database}`,
            remedy: `GRANT CREATE ON DATABASE "${database}" TO "${account}" on the source.`,
          },
        ],
});

export const replicaIdentities = precheck({
  name: 'replica identities',
  when: streams,
  look: async ({ tables }) => tables.map(({ selected }) => selected),
  judge: (tables, task) =>
    problem(
      withoutIdentity(tables, task.source.replicaIdentity).map(({ shape }) => shape),
      (names) => ({
        code: 'SOURCE_NO_REPLICA_IDENTITY',
        message: `without a usable replica identity: ${names}`,
      }),
    ),
});

const leftOutKinds: readonly { reasons: readonly LeftOutTable['reason'][]; says: string; remedy: string }[] = [
  {
    reasons: ['unlogged', 'foreign table'],
    says: 'unlogged and foreign tables are not carried',
    remedy: 'ALTER TABLE ... SET LOGGED for unlogged ones that shall be migrated.',
  },
  {
    reasons: ['temporary'],
    says: 'temporary tables stay with their sessions',
    remedy: 'Nothing to do, unless an application keeps there what shall last.',
  },
  {
    reasons: ['partition'],
    says: 'partitions of selected tables are outside of the selection, with their rows',
    remedy: 'Select their schemas and names too, unless they shall be left out.',
  },
];

export const tablesLeftOut = precheck({
  name: 'tables left out',
  look: async ({ leftOut }) => leftOut,
  judge: (leftOut) =>
    leftOutKinds.flatMap(({ reasons, says, remedy }) =>
      problem(
        leftOut.filter(({ reason }) => reasons.includes(reason)),
        (names) => ({ severity: 'warning', code: 'PRECHECK_FAILED', message: `${says}: ${names}`, remedy }),
      ),
    ),
});

function problem(tables: readonly TableName[], make: (names: string) => Problem): Problem[] {
  return tables.length === 0 ? [] : [make(namesOf(tables))];
}

/** Adds the account's rights to what the task selects. */
export async function readSourceTables(
  client: pg.Client,
  task: Task,
): Promise<Pick<PrecheckContext, 'tables' | 'leftOut'>> {
  const { tables, leftOut } = await readTableSelection(client, task.selection);
  const { rows } = await client.query<{ oid: string; owned: string; readable: string; row_security: string }>(
    `SELECT c.oid, pg_has_role(c.relowner, 'USAGE')::text AS owned,
            (has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))::text AS readable,
            row_security_active(c.oid)::text AS row_security
     FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[])`,
    [tables.map(({ shape }) => shape.oid)],
  );
  const rights = new Map(rows.map((row) => [Number(row.oid), row]));
  return {
    leftOut,
    tables: tables.map((selected) => {
      const { schema, name, oid } = selected.shape;
      const right = rights.get(oid);
      return {
        schema,
        name,
        selected,
        owned: right?.owned === 'true',
        readable: right?.readable === 'true',
        rowSecurity: right?.row_security === 'true',
      };
    }),
  };
}
