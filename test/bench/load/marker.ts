import type pg from 'pg';
import type { TestDatabase } from '../../support/database.ts';

/** A table whose newest row is the last change of a backlog: where it is visible, all before it is. */
export const markerTable = 'CREATE TABLE bench_marker (id bigint PRIMARY KEY)';

/** Durable, so that all that was committed before it is too. */
export async function setMarker(source: TestDatabase): Promise<string> {
  return (await source.value('INSERT INTO bench_marker SELECT 1 + count(*) FROM bench_marker RETURNING id')) ?? '';
}

export async function seesMarker(client: pg.Client, marker: string): Promise<boolean> {
  const query = { name: 'bench-marker', text: 'SELECT 1 FROM bench_marker WHERE id = $1', values: [marker] };
  return (await client.query(query)).rows.length > 0;
}
