import type pg from 'pg';

/** The server's version as a number: 100023 is 10.23, 170009 is 17.9. */
export async function serverVersion(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
  return Number(rows[0]?.server_version_num);
}

export function majorVersion(version: number): number {
  return Math.trunc(version / 10_000);
}
