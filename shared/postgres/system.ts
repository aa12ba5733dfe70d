import type pg from 'pg';
import { SluiceError } from '../errors.ts';
import { type Lsn, parseLsn } from './lsn.ts';

/** @see https://www.postgresql.org/docs/current/protocol-replication.html (IDENTIFY_SYSTEM) */
export interface SystemIdentity {
  /** Unsigned 64 bits, as decimal text. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** The flushed WAL position. */
  readonly flushed: Lsn;
}

/** Needs a walsender session. */
export async function identifySystem(client: pg.ClientBase): Promise<SystemIdentity> {
  const { rows } = await client.query<{ systemid: string; timeline: string; xlogpos: string }>('IDENTIFY_SYSTEM');
  const [row] = rows;
  if (!row) throw new SluiceError('SOURCE_PROTOCOL', 'IDENTIFY_SYSTEM gave no row');
  return { systemIdentifier: row.systemid, timeline: Number(row.timeline), flushed: parseLsn(row.xlogpos) };
}

/** Where each earlier timeline in the history of `timeline` ended. Needs a walsender session. */
export async function timelineEnds(client: pg.ClientBase, timeline: number): Promise<Map<number, Lsn>> {
  // The first timeline has no history file.
  if (timeline === 1) return new Map();
  const { rows } = await client.query<{ content: string }>(`TIMELINE_HISTORY ${timeline}`);
  return parseTimelineHistory(rows[0]?.content ?? '');
}

/** A history file's lines: `<timeline> \t <LSN where it ended> \t <reason>`. */
export function parseTimelineHistory(content: string): Map<number, Lsn> {
  const ends = new Map<number, Lsn>();
  for (const line of content.split('\n')) {
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    if (match?.[1] && match[2]) ends.set(Number(match[1]), parseLsn(match[2]));
  }
  return ends;
}
