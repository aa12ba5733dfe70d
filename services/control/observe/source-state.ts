import type pg from 'pg';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { slotName } from '../../../shared/task/task.ts';

export interface SlotState {
  readonly name: string;
  readonly database: string | null;
  /** A capture streams from it. */
  readonly active: boolean;
  readonly confirmedFlush: Lsn | null;
  readonly restart: Lsn | null;
  /** Bytes of WAL that the source keeps for it. */
  readonly retainedBytes: number;
  /** wal_status: reserved, extended, unreserved, lost; null before 13. */
  readonly walStatus: string | null;
}

export interface SourceState {
  /** null where the account may not ask. */
  readonly system: { readonly systemIdentifier: string; readonly timeline: number } | null;
  readonly database: string;
  /** What is flushed of the WAL now. */
  readonly walEnd: Lsn;
  readonly slot: SlotState | null;
}

export async function readSourceState(client: pg.Client, task: string): Promise<SourceState> {
  const system = await readSystem(client);
  const { rows } = await client.query(
    `SELECT current_database() AS current, s.database, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS wal_end,
            s.active::text, s.confirmed_flush_lsn, s.restart_lsn, to_jsonb(s) ->> 'wal_status' AS wal_status, s.slot_name
     FROM (SELECT) AS always LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1`,
    [slotName(task)],
  );
  const row = (rows as Record<string, string | null>[])[0] ?? {};
  const walEnd = parseLsn(row.wal_end ?? '0/0');
  const place = { system, database: row.current ?? '', walEnd };
  if (row.slot_name == null) return { ...place, slot: null };
  const restart = row.restart_lsn == null ? null : parseLsn(row.restart_lsn);
  return {
    ...place,
    slot: {
      name: row.slot_name,
      database: row.database ?? null,
      active: row.active === 'true',
      confirmedFlush: row.confirmed_flush_lsn == null ? null : parseLsn(row.confirmed_flush_lsn),
      restart,
      retainedBytes: restart === null ? 0 : Number(walEnd - restart),
      walStatus: row.wal_status ?? null,
    },
  };
}

async function readSystem(client: pg.Client): Promise<SourceState['system']> {
  try {
    const { rows } = await client.query<{ id: string; timeline: string }>(
      'SELECT system_identifier AS id, timeline_id AS timeline FROM pg_control_system(), pg_control_checkpoint()',
    );
    return rows[0] ? { systemIdentifier: rows[0].id, timeline: Number(rows[0].timeline) } : null;
  } catch (error) {
    if (sqlstate(error) === '42501') return null;
    throw error;
  }
}

/** The statistics' estimates of rows, by tableKey; null where a table was never analysed. */
export async function readEstimates(
  client: pg.Client,
  tables: readonly (TableName & { readonly oid: number })[],
): Promise<Map<string, number | null>> {
  const { rows } = await client.query<{ oid: string; rows: string; pages: string }>(
    'SELECT oid, reltuples::bigint AS rows, relpages AS pages FROM pg_catalog.pg_class WHERE oid = ANY ($1::oid[])',
    [tables.map(({ oid }) => oid)],
  );
  const byOid = new Map(rows.map((row) => [Number(row.oid), row]));
  return new Map(
    tables.map((table) => {
      const row = byOid.get(table.oid);
      // Before 14 never analysed is 0 rows in 0 pages, from 14 on it is -1 rows.
      const known = row !== undefined && Number(row.rows) >= 0 && !(Number(row.rows) === 0 && Number(row.pages) === 0);
      return [tableKey(table), known ? Number(row.rows) : null];
    }),
  );
}
