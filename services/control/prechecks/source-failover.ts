import { type Problem, precheck, streams } from './finding.ts';

interface PhysicalSlot {
  readonly name: string;
  readonly active: boolean;
  /** The standby behind it sends its oldest transaction: hot_standby_feedback. */
  readonly feedback: boolean;
}

/** What the primary can tell of its standbys. */
export interface FailoverFacts {
  readonly version: number;
  readonly slots: readonly PhysicalSlot[];
  /** Of synchronized_standby_slots. */
  readonly waitedFor: readonly string[];
  /** Sessions of standbys that synchronise slots; null when the account may not see others' sessions. */
  readonly synchronising: number | null;
}

const factsSql = `
  SELECT json_build_object(
    'version', current_setting('server_version_num')::int,
    'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active,
        'feedback', xmin IS NOT NULL OR catalog_xmin IS NOT NULL)), '[]')
      FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical'),
    'waitedFor', coalesce(current_setting('synchronized_standby_slots', true), ''),
    'synchronising', CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN (
        SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE '%slotsync worker') END
  )::text AS facts`;

/** A slot survives a promotion only when a standby keeps a copy of it, and that needs settings at both servers. */
export const sourceFailover = precheck({
  name: 'failover slot',
  when: (task) => streams(task) && task.source.failoverSlot,
  look: async ({ source }): Promise<FailoverFacts> => {
    const { rows } = await source.query<{ facts: string }>(factsSql);
    const facts = JSON.parse(rows[0]?.facts ?? '{}') as FailoverFacts & { waitedFor: string };
    return { ...facts, waitedFor: namesIn(facts.waitedFor) };
  },
  judge: judgeFailover,
});

export function judgeFailover({ version, slots, waitedFor, synchronising }: FailoverFacts): Problem[] {
  if (version < 170_000) {
    const message = 'source.failoverSlot needs PostgreSQL 17 or later at the source';
    const remedy = 'Leave the setting out; after a promotion the task then has to be started anew.';
    return [{ code: 'CONFIG_INVALID', message, remedy }];
  }
  const streaming = slots.filter(({ active }) => active);
  if (streaming.length === 0) {
    const message = 'no standby streams from the source by a replication slot: nothing keeps a copy of a failover slot';
    return [warning(message, 'Set primary_slot_name, and sync_replication_slots = on, at the standby.')];
  }
  return [
    ...(streaming.some(({ feedback }) => feedback)
      ? []
      : [warning('no standby of the source sends feedback', 'Set hot_standby_feedback = on at the standby.')]),
    ...(synchronising === 0
      ? [
          warning(
            'no standby of the source synchronises slots',
            'Set sync_replication_slots = on, and a dbname in primary_conninfo, at the standby.',
          ),
        ]
      : []),
    ...judgeWaitedFor(streaming, waitedFor),
  ];
}

/** Capture may only get what the standby has: else topics hold transactions that a promotion takes back. */
function judgeWaitedFor(streaming: readonly PhysicalSlot[], waitedFor: readonly string[]): Problem[] {
  if (waitedFor.length === 0) {
    const message = 'synchronized_standby_slots of the source is empty: capture may get ahead of the standby';
    const name = streaming[0]?.name;
    return [warning(message, `Set synchronized_standby_slots = '${name}' at the source; reload is enough.`)];
  }
  const away = waitedFor.filter((name) => !streaming.some((slot) => slot.name === name));
  if (away.length === 0) return [];
  const message = `synchronized_standby_slots names ${away.join(', ')}, from which no standby streams: capture waits for it`;
  return [warning(message, 'Start that standby, or take its slot out of the setting.')];
}

function warning(message: string, remedy: string): Problem {
  return { severity: 'warning', code: 'SOURCE_SLOT_MISSING', message, remedy };
}

/** A list as PostgreSQL's settings hold it; slot names need no quotes. */
function namesIn(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim().replaceAll('"', ''))
    .filter((name) => name !== '');
}
