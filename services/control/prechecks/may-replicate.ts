import type pg from 'pg';

/** Whether the account may set session_replication_role. */
export async function mayReplicate(destination: pg.Client): Promise<boolean> {
  await destination.query('BEGIN');
  try {
    await destination.query('SET LOCAL session_replication_role = replica');
    return true;
  } catch {
    return false;
  } finally {
    await destination.query('ROLLBACK');
  }
}
