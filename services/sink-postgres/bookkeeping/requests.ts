import type pg from 'pg';
import { formatLsn, type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import type { SinkIdentity } from './tables.ts';

/**
 * What control asks of a sink, as the one row of `sluice.request`:
 * `hold` apply nothing more; `run-to` and `finish` apply exactly the transactions that commit below `lsn`,
 * then stay, or end. Without a row the sink goes on.
 */
export type Request =
  | { readonly kind: 'hold'; readonly lsn: null; readonly reached: boolean }
  | { readonly kind: 'run-to' | 'finish'; readonly lsn: Lsn; readonly reached: boolean };

export async function readRequest(client: pg.Client, { task, sink }: SinkIdentity): Promise<Request | null> {
  const { rows } = await client.query<{ kind: Request['kind']; lsn: string | null; state: string }>({
    name: 'sluice-request',
    text: 'SELECT kind, lsn, state FROM sluice.request WHERE task = $1 AND sink = $2',
    values: [task, sink],
  });
  const row = rows[0];
  if (!row) return null;
  const reached = row.state === 'reached';
  if (row.kind === 'hold' || row.lsn === null) return { kind: 'hold', lsn: null, reached };
  return { kind: row.kind, lsn: parseLsn(row.lsn), reached };
}

/** Answers the request, if it is still the one that was asked. False: it changed meanwhile. */
export async function writeReached(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { request, lsn }: { readonly request: Request; readonly lsn: Lsn },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE sluice.request SET state = 'reached', reached_lsn = $3
     WHERE task = $1 AND sink = $2 AND kind = $4 AND lsn IS NOT DISTINCT FROM $5::pg_lsn`,
    [task, sink, formatLsn(lsn), request.kind, request.lsn === null ? null : formatLsn(request.lsn)],
  );
  return rowCount === 1;
}

export function isSameRequest(a: Request | null, b: Request | null): boolean {
  return a?.kind === b?.kind && a?.lsn === b?.lsn && a?.reached === b?.reached;
}
