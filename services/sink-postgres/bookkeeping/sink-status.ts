import type pg from 'pg';
import type { SinkIdentity } from './tables.ts';

export const phases = ['schema migration', 'full data migration', 'incremental data migration', 'cut over'] as const;
export type Phase = (typeof phases)[number];

/** What status shows of a sink: where it is and what it waits for. */
export async function readPhase(client: pg.Client, { task, sink }: SinkIdentity): Promise<Phase | null> {
  const text = 'SELECT phase FROM sluice.sink WHERE task = $1 AND sink = $2';
  const { rows } = await client.query<{ phase: Phase }>(text, [task, sink]);
  return rows[0]?.phase ?? null;
}

/** Also clears the error of an earlier attempt. A sink that was cut over stays so. */
export async function writePhase(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { phase, detail }: { readonly phase: Phase; readonly detail: string },
): Promise<void> {
  await client.query(
    `INSERT INTO sluice.sink (task, sink, phase, detail) VALUES ($1, $2, $3, $4)
     ON CONFLICT (task, sink) DO UPDATE SET phase = EXCLUDED.phase, detail = EXCLUDED.detail, updated_at = now(),
       error_code = NULL, error_message = NULL, error_remedy = NULL, error_at = NULL
     WHERE sluice.sink.phase <> 'cut over'`,
    [task, sink, phase, detail],
  );
}

/** Whether the sink may run under session_replication_role = replica; if not, foreign keys stay absent until cutover. */
export async function writeReplicaRole(client: pg.Client, { task, sink }: SinkIdentity, role: boolean): Promise<void> {
  const text = 'UPDATE sluice.sink SET replica_role = $3, updated_at = now() WHERE task = $1 AND sink = $2';
  await client.query(text, [task, sink, role]);
}

export interface StatusError {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

export async function writeError(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { code, message, remedy }: StatusError,
): Promise<void> {
  await client.query(
    `INSERT INTO sluice.sink (task, sink, phase, error_code, error_message, error_remedy, error_at)
     VALUES ($1, $2, 'schema migration', $3, $4, $5, now())
     ON CONFLICT (task, sink) DO UPDATE SET error_code = EXCLUDED.error_code, error_message = EXCLUDED.error_message,
       error_remedy = EXCLUDED.error_remedy, error_at = EXCLUDED.error_at, updated_at = now()`,
    [task, sink, code, message, remedy],
  );
}
