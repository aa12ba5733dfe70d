import type pg from 'pg';
import { slotName } from '../../../shared/task/task.ts';
import { needsTruncateLog } from '../../../shared/task/truncate-log.ts';
import { precheck, streams } from './finding.ts';

async function oneRow<T>(client: pg.Client, sql: string, values: readonly unknown[] = []): Promise<T> {
  const { rows } = await client.query(sql, [...values]);
  return rows[0] as T;
}

export const sourceVersion = precheck({
  name: 'version of the source',
  look: ({ source }) =>
    oneRow<{ number: string; text: string }>(
      source,
      `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS text`,
    ),
  judge: ({ number, text }) =>
    Number(number) >= 100_000
      ? []
      : [
          {
            code: 'PRECHECK_FAILED',
            message: `the source is PostgreSQL ${text}`,
            remedy: 'Use a source of version 10 or later.',
          },
        ],
});

export const sourceTruncates = precheck({
  name: 'TRUNCATE of the source',
  when: streams,
  look: ({ source }) => oneRow<{ number: string }>(source, `SELECT current_setting('server_version_num') AS number`),
  judge: ({ number }) =>
    needsTruncateLog(Number(number))
      ? [
          {
            severity: 'warning',
            code: 'PRECHECK_FAILED',
            message: 'PostgreSQL 10 does not decode TRUNCATE: each selected table gets a trigger that logs it',
            remedy: 'Nothing is to be done; sluice release removes the triggers. Do not disable them meanwhile.',
          },
        ]
      : [],
});

export const sourceIsPrimary = precheck({
  name: 'source is a primary',
  when: streams,
  look: ({ source }) => oneRow<{ standby: string }>(source, 'SELECT pg_is_in_recovery()::text AS standby'),
  judge: ({ standby }) =>
    standby === 'false'
      ? []
      : [
          {
            code: 'PRECHECK_FAILED',
            message: 'the source is a standby: a publication cannot be created there',
            remedy: 'Use the primary as the source.',
          },
        ],
});

export const sourceWalLevel = precheck({
  name: 'wal_level',
  when: streams,
  look: ({ source }) => oneRow<{ level: string }>(source, `SELECT current_setting('wal_level') AS level`),
  judge: ({ level }) =>
    level === 'logical' ? [] : [{ code: 'SOURCE_WAL_LEVEL', message: `wal_level of the source is ${level}` }],
});

/** Managed services grant replication by membership in a role of theirs instead of the attribute. */
export const sourceReplicationRight = precheck({
  name: 'REPLICATION right',
  when: streams,
  look: ({ source }) =>
    oneRow<{ account: string; may: string }>(
      source,
      `SELECT current_user AS account,
              (rolsuper OR rolreplication OR EXISTS (
                 SELECT FROM pg_catalog.pg_roles granted
                 WHERE granted.rolname IN ('rds_replication', 'rds_superuser') AND pg_has_role(granted.oid, 'MEMBER')
              ))::text AS may
       FROM pg_catalog.pg_roles WHERE rolname = current_user`,
    ),
  judge: ({ account, may }) =>
    may === 'true'
      ? []
      : [
          {
            code: 'POSTGRES_PERMISSION_DENIED',
            message: `the source account ${account} may not replicate`,
            remedy: `ALTER ROLE "${account}" REPLICATION on the source.`,
          },
        ],
});

interface Capacity {
  readonly slots: string;
  readonly used_slots: string;
  readonly senders: string;
  readonly used_senders: string;
  readonly own: string;
}

/** One slot and one WAL sender for capture; one more of each for the time of a comparison. */
export const sourceCapacity = precheck({
  name: 'free replication slot and WAL sender',
  when: streams,
  look: ({ source, task }) =>
    oneRow<Capacity>(
      source,
      `SELECT current_setting('max_replication_slots') AS slots,
              (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS used_slots,
              current_setting('max_wal_senders') AS senders,
              (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()) AS used_senders,
              (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1) AS own`,
      [slotName(task.name)],
    ),
  judge: (facts) => [
    ...judgeFree('max_replication_slots', Number(facts.slots), Number(facts.used_slots) - Number(facts.own)),
    ...judgeFree('max_wal_senders', Number(facts.senders), Number(facts.used_senders)),
  ],
});

function judgeFree(setting: string, total: number, used: number) {
  const free = total - used;
  if (free >= 2) return [];
  const message = `${setting} of the source is ${total}, ${used} in use`;
  if (free < 1) return [{ code: 'SOURCE_NO_SLOT_FREE', message }] as const;
  const warning = `${message}: none is left for sluice fence --compare`;
  return [{ severity: 'warning', code: 'SOURCE_NO_SLOT_FREE', message: warning }] as const;
}

export const sourceEncoding = precheck({
  name: 'encoding of the source',
  look: ({ source }) => oneRow<{ encoding: string }>(source, 'SELECT getdatabaseencoding() AS encoding'),
  judge: ({ encoding }) =>
    encoding === 'UTF8'
      ? []
      : [
          {
            code: 'SOURCE_ENCODING',
            message: `the source database has encoding ${encoding}`,
            remedy: 'Only databases with encoding UTF8 can be migrated.',
          },
        ],
});

/** A slot that the server may give up by itself is lost data for the task. */
export const sourceSlotLimits = precheck({
  name: 'limits of replication slots',
  when: streams,
  look: async ({ source }) => {
    const sql = `SELECT name, setting FROM pg_catalog.pg_settings
      WHERE name IN ('max_slot_wal_keep_size', 'idle_replication_slot_timeout')`;
    const { rows } = await source.query(sql);
    return rows as { name: string; setting: string }[];
  },
  judge: (settings) =>
    settings.flatMap(({ name, setting }) => {
      const unlimited = name === 'max_slot_wal_keep_size' ? setting === '-1' : setting === '0';
      if (unlimited) return [];
      return [
        {
          severity: 'warning',
          code: 'SOURCE_SLOT_INVALID',
          message: `${name} of the source is ${setting}: the server drops the slot's WAL when the task is behind or stopped`,
          remedy: `Lift ${name} for the time of the migration, or never leave the task stopped for long.`,
        } as const,
      ];
    }),
});

/** Slot creation waits for every transaction that runs. */
export const sourceLongTransactions = precheck({
  name: 'long transactions at the source',
  when: streams,
  look: async ({ source }) => {
    const sql = `SELECT 'pid ' || pid AS who, extract(epoch FROM now() - xact_start)::bigint AS seconds
        FROM pg_catalog.pg_stat_activity
        WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '60 seconds'
      UNION ALL
      SELECT 'prepared transaction ' || gid, extract(epoch FROM now() - prepared)::bigint
        FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()`;
    const { rows } = await source.query(sql);
    return rows as { who: string; seconds: string }[];
  },
  judge: (open) =>
    open.map(({ who, seconds }) => ({
      severity: 'warning',
      code: 'SOURCE_SLOT_WAIT',
      message: `${who} has been open for ${seconds} s; the slot cannot be created before it ends`,
      remedy: 'End it, or wait.',
    })),
});
