import type { TestDatabase } from './database.ts';

export async function majorOf(database: Pick<TestDatabase, 'query'>): Promise<number> {
  const [row] = await database.query(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  return Number(row?.['major']);
}

/** Definitions as the version can have them: generated columns are ordinary ones before 12. */
export function definitionsFor(major: number, sql: string): string {
  return major >= 12 ? sql : sql.replaceAll(/ GENERATED ALWAYS AS \([^()]*\) STORED/g, '');
}
