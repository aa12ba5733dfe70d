import type { TestDatabase } from '../../support/database.ts';

/**
 * What a database holds, told by the server's own views and definitions and not by Sluice's reader.
 * Orders that may differ between two equal databases are put right here.
 */
const views: Readonly<Record<string, string>> = {
  schemas: `SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`,
  columns: `SELECT table_schema, table_name, column_name, ordinal_position - (
        SELECT count(*) FROM pg_attribute d WHERE d.attisdropped AND d.attnum < ordinal_position
          AND d.attrelid = format('%I.%I', table_schema, table_name)::regclass) AS place,
      column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale,
      datetime_precision, interval_type, collation_name, domain_name, udt_schema, udt_name, is_identity,
      identity_generation, identity_start, identity_increment, identity_maximum, identity_minimum, identity_cycle
    FROM information_schema.columns WHERE table_schema !~ '^pg_' AND table_schema <> 'information_schema'`,
  attributes: `SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attstorage, attstattarget,
      attoptions, attinhcount, attnotnull, attidentity
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE attnum > 0 AND NOT attisdropped AND relnamespace::regnamespace::text !~ '^pg_|information_schema'`,
  constraints: `SELECT conrelid::regclass, contypid::regtype, conname, contype, condeferrable, condeferred, convalidated,
      coninhcount, CASE contype WHEN 'c' THEN connoinherit END AS noinherit, pg_get_constraintdef(oid), obj_description(oid)
    FROM pg_constraint WHERE connamespace::regnamespace::text !~ '^pg_|information_schema' AND contype <> 't'`,
  indexes: `SELECT i.indexrelid::regclass, i.indrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisunique,
      i.indisprimary, i.indisreplident, i.indisclustered, h.inhparent::regclass, obj_description(i.indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
    WHERE c.relnamespace::regnamespace::text !~ '^pg_'`,
  sequences: `SELECT seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
      relpersistence, (SELECT d.refobjid::regclass || '.' || a.attname FROM pg_depend d
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.objid = seqrelid AND d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass) AS owner,
      obj_description(seqrelid)
    FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid`,
  tables: `SELECT c.oid::regclass, relkind, relpersistence, reloptions, relreplident, relispartition,
      pg_get_expr(relpartbound, c.oid), CASE relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
      (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid) AS toast,
      (SELECT array_agg(inhparent::regclass ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid) AS parents,
      (SELECT array_agg((objsubid, description) ORDER BY objsubid) FROM pg_description WHERE objoid = c.oid) AS comments
    FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^pg_|information_schema'`,
  types: `SELECT t.oid::regtype, typtype, typnotnull, typdefault, format_type(typbasetype, typtypmod), (SELECT collname FROM pg_collation WHERE pg_collation.oid = typcollation),
      (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid) AS labels,
      (SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped AND c.relkind = 'c') AS attributes,
      rngsubtype::regtype, rngsubdiff::regproc, obj_description(t.oid)
    FROM pg_type t LEFT JOIN pg_range ON rngtypid = t.oid LEFT JOIN pg_class c ON c.oid = typrelid
    WHERE typnamespace::regnamespace::text !~ '^pg_|information_schema'`,
};

/** One line per object. */
export async function catalogOf(database: TestDatabase): Promise<string[]> {
  const lines: string[] = [];
  for (const [view, sql] of Object.entries(views)) {
    const rows = await database.query(`SELECT row_to_json(v)::text AS line FROM (${sql}) v`);
    lines.push(...rows.map(({ line }) => `${view} ${line}`).sort());
  }
  return lines;
}
