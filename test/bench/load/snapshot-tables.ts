import type { TestDatabase } from '../../support/database.ts';

export interface SnapshotSize {
  readonly accounts: number;
  readonly mixed: number;
}

/** Tables without what is made when they are full. */
export const snapshotTables = `
  CREATE TABLE accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
  CREATE TABLE mixed (
    id bigint NOT NULL, small smallint, whole int, big bigint, price numeric(12,2), ratio real, measure double precision,
    active boolean, name text, code varchar(80), fixed char(8), born date, at timestamp, seen timestamptz,
    span interval, key uuid, document jsonb, bytes bytea, address inet, numbers int[])`;

export const snapshotKeys = [
  'ALTER TABLE accounts ADD PRIMARY KEY (aid)',
  'ALTER TABLE mixed ADD PRIMARY KEY (id)',
] as const;

export async function fillSnapshotTables(database: TestDatabase, { accounts, mixed }: SnapshotSize): Promise<void> {
  await database.query(`
    INSERT INTO accounts SELECT i, 1 + i / 100000, 0, '' FROM generate_series(1, ${accounts}) i;
    INSERT INTO mixed SELECT i, i % 30000, i * 7, i * 1000003::bigint, i / 7.0, i / 3.0, i / 11.0, i % 3 = 0,
      'name of ' || md5(i::text), md5((i * 3)::text), substr(md5(i::text), 1, 8), date '2000-01-01' + i % 9000,
      timestamp '2001-02-03 04:05:06.789' + i * interval '1 minute', timestamptz '2020-01-01' + i * interval '1.5 second',
      i * interval '1 second', md5(i::text)::uuid,
      jsonb_build_object('id', i, 'tags', jsonb_build_array('a', 'b', i % 10), 'note', md5(i::text)),
      decode(md5(i::text), 'hex'), ('10.' || i % 200 || '.' || i % 100 || '.' || i % 250)::inet, ARRAY[i, i + 1, i + 2]
      FROM generate_series(1, ${mixed}) i`);
}
