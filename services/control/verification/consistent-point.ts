import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { connect, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';

/**
 * A point of the source's WAL together with a snapshot that sees exactly what committed below it:
 * a temporary slot, which the server drops with its session.
 */
export interface ConsistentPoint {
  readonly lsn: Lsn;
  /** For SET TRANSACTION SNAPSHOT, until `release`. */
  readonly snapshot: string;
  /** Drops the slot; transactions that imported the snapshot keep it. */
  release(): Promise<void>;
}

/** @throws SluiceError SOURCE_SLOT_WAIT when running transactions do not end in time, SOURCE_NO_SLOT_FREE, ... */
export async function makeConsistentPoint(
  endpoint: PostgresEndpoint,
  timeoutSeconds: number,
): Promise<ConsistentPoint> {
  const client = await connect(endpoint, { applicationName: 'sluice compare', end: 'source', replication: true });
  const name = `sluice_compare_${process.pid}_${Date.now().toString(36)}`;
  const pid = (client as unknown as { processID: number }).processID;
  let late: Promise<SluiceError> | null = null;
  const timer = setTimeout(() => {
    late = giveUp(endpoint, pid, timeoutSeconds);
  }, timeoutSeconds * 1000);
  try {
    const { rows } = await client.query(
      `CREATE_REPLICATION_SLOT ${quoteIdentifier(name)} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    const [row] = rows as { consistent_point: string; snapshot_name: string }[];
    if (!row) throw new SluiceError('SOURCE_PROTOCOL', 'CREATE_REPLICATION_SLOT gave no row');
    return { lsn: parseLsn(row.consistent_point), snapshot: row.snapshot_name, release: () => client.end() };
  } catch (error) {
    await client.end().catch(() => undefined);
    if (late !== null) throw await late;
    const noneFree = (error as { code?: unknown }).code === '53400';
    if (noneFree) throw new SluiceError('SOURCE_NO_SLOT_FREE', (error as Error).message, { cause: error });
    throw postgresFailure(error, { end: 'source' });
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the session that waits, for the server would not notice that nobody listens; says for whom it waited. */
async function giveUp(endpoint: PostgresEndpoint, pid: number, seconds: number): Promise<SluiceError> {
  const client = await connect(endpoint, { applicationName: 'sluice compare', end: 'source' });
  try {
    const { rows } = await client.query(
      `SELECT string_agg(who, ', ') AS holders, pg_terminate_backend($1) FROM (
         SELECT 'pid ' || pid AS who FROM pg_catalog.pg_stat_activity
         WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND pid <> $1
         UNION ALL SELECT 'prepared transaction ' || gid FROM pg_catalog.pg_prepared_xacts) AS open`,
      [pid],
    );
    const holders = (rows[0] as { holders: string | null } | undefined)?.holders ?? 'an unknown transaction';
    return new SluiceError('SOURCE_SLOT_WAIT', `a slot could not be created within ${seconds} s because of ${holders}`);
  } finally {
    await client.end();
  }
}

/** A session that sees the database as of the snapshot; without one, as of now. */
export async function openSnapshot(
  endpoint: PostgresEndpoint,
  end: 'source' | 'destination',
  snapshot: string | null,
): Promise<pg.Client> {
  const client = await connect(endpoint, { applicationName: 'sluice compare', end });
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    if (snapshot !== null) await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`);
    await client.query(`SET LOCAL work_mem = '64MB'`);
    return client;
  } catch (error) {
    await client.end();
    throw postgresFailure(error, { end });
  }
}

/** Several sessions with one snapshot: the first one exports it. */
export async function openSharedSnapshot(
  endpoint: PostgresEndpoint,
  end: 'source' | 'destination',
  count: number,
): Promise<pg.Client[]> {
  const first = await openSnapshot(endpoint, end, null);
  const { rows } = await first.query('SELECT pg_export_snapshot() AS name');
  const name = (rows[0] as { name: string }).name;
  const others = await Promise.all(Array.from({ length: count - 1 }, () => openSnapshot(endpoint, end, name)));
  return [first, ...others];
}
