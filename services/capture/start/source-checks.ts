import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { type SelectedTable, withoutIdentity } from '../../../shared/task/selected-tables.ts';
import type { Task } from '../../../shared/task/task.ts';

/**
 * Everything at the source that would fail later, looked at before anything is made there.
 * @throws SluiceError SOURCE_WAL_LEVEL, SOURCE_NO_SLOT_FREE, SOURCE_NO_REPLICA_IDENTITY, POSTGRES_PERMISSION_DENIED, ...
 */
export async function checkSource(sql: pg.Client, task: Task, tables: readonly SelectedTable[]): Promise<void> {
  await checkEncoding(sql);
  if (!task.types.has('incremental')) return;
  await checkWalLevel(sql);
  await checkSlots(sql);
  checkIdentities(task, tables);
  await checkRights(sql, tables);
}

async function one(sql: pg.Client, text: string, values: unknown[] = []): Promise<Record<string, string | null>> {
  const { rows } = await sql.query<Record<string, string | null>>(text, values);
  return rows[0] ?? {};
}

async function checkEncoding(sql: pg.Client): Promise<void> {
  const { server_encoding: encoding } = await one(sql, 'SHOW server_encoding');
  if (encoding === 'SQL_ASCII') {
    throw new SluiceError(
      'SOURCE_ENCODING',
      'the source database has encoding SQL_ASCII: its texts have no known meaning',
      {
        remedy: 'Migrate it to a database with a real encoding first.',
      },
    );
  }
}

async function checkWalLevel(sql: pg.Client): Promise<void> {
  const { wal_level: level } = await one(sql, 'SHOW wal_level');
  if (level !== 'logical') throw new SluiceError('SOURCE_WAL_LEVEL', `wal_level of the source is ${level}`);
}

async function checkSlots(sql: pg.Client): Promise<void> {
  const { used, most } = await one(
    sql,
    `SELECT (SELECT count(*) FROM pg_replication_slots) AS used, current_setting('max_replication_slots') AS most`,
  );
  if (Number(used) < Number(most)) return;
  throw new SluiceError('SOURCE_NO_SLOT_FREE', `all ${most} replication slots of the source are in use`);
}

function checkIdentities(task: Task, tables: readonly SelectedTable[]): void {
  const unusable = withoutIdentity(tables, task.source.replicaIdentity).map(nameOf);
  if (unusable.length === 0) return;
  throw new SluiceError('SOURCE_NO_REPLICA_IDENTITY', `no usable replica identity: ${listed(unusable)}`);
}

/** A publication is made by the owner of its tables, with CREATE on the database. */
async function checkRights(sql: pg.Client, tables: readonly SelectedTable[]): Promise<void> {
  const { creates, user } = await one(
    sql,
    `SELECT has_database_privilege(current_database(), 'CREATE') AS creates, current_user AS user`,
  );
  if (creates !== 't') {
    throw new SluiceError(
      'POSTGRES_PERMISSION_DENIED',
      `source: ${user} lacks CREATE on the database, to make a publication`,
    );
  }
  const owners = [...new Set(tables.map((table) => table.owner))];
  const { rows } = await sql.query<{ owner: string }>(
    `SELECT owner FROM unnest($1::text[]) AS owner WHERE NOT pg_has_role(current_user, owner::name, 'USAGE')`,
    [owners],
  );
  const foreign = new Set(rows.map(({ owner }) => owner));
  const others = tables.filter((table) => foreign.has(table.owner)).map(nameOf);
  if (others.length === 0) return;
  throw new SluiceError(
    'POSTGRES_PERMISSION_DENIED',
    `source: ${user} does not own what it is to publish: ${listed(others)}`,
  );
}

function nameOf({ shape }: SelectedTable): string {
  return `${shape.schema}.${shape.name}`;
}

const LISTED = 10;

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return names.slice(0, LISTED).join(', ') + more;
}
