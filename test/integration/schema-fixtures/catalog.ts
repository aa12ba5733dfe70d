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
  dependencies: `SELECT DISTINCT a.type AS from_type, a.identity AS "from", b.type AS to_type, b.identity AS "to", deptype
    FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) a,
      LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) b
    WHERE d.objid >= 16384 AND a.type !~ '^toast' AND b.type !~ '^toast' AND a.identity !~ '_ConstraintTrigger_|pg_toast'`,
  comments: `SELECT o.type, o.identity, d.description FROM pg_description d,
      LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o WHERE d.objoid >= 16384`,
  routines: `SELECT p.oid::regprocedure, (to_jsonb(p) - '{oid,pronamespace,proowner,prolang,prorettype,proargtypes,proallargtypes,prosqlbody,proargdefaults,protrftypes,provariadic,proacl,prosupport}'::text[]),
      pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), pg_get_userbyid(proowner)
    FROM pg_proc p WHERE pronamespace::regnamespace::text !~ '^pg_|information_schema'`,
  bodies: `SELECT p.oid::regprocedure, pg_get_functiondef(p.oid) FROM pg_proc p
    WHERE p.oid NOT IN (SELECT aggfnoid FROM pg_aggregate) AND pronamespace::regnamespace::text !~ '^pg_|information_schema'`,
  aggregates: `SELECT p.oid::regprocedure, (to_jsonb(a) - '{aggfnoid,aggtranstype,aggmtranstype,aggsortop}'::text[]),
      aggtranstype::regtype, aggmtranstype::regtype, aggsortop::regoperator
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = aggfnoid WHERE pronamespace::regnamespace::text !~ '^pg_|information_schema'`,
  operators: `SELECT o.oid::regoperator, oprkind, oprcanmerge, oprcanhash, oprcode, oprrest, oprjoin,
      oprcom::regoperator, oprnegate::regoperator
    FROM pg_operator o WHERE oprnamespace::regnamespace::text !~ '^pg_|information_schema'`,
  members: `SELECT i.identity FROM pg_amop a, LATERAL pg_identify_object('pg_amop'::regclass, a.oid, 0) i WHERE a.oid >= 16384
    UNION ALL SELECT i.identity || a.amproc::regprocedure
      FROM pg_amproc a, LATERAL pg_identify_object('pg_amproc'::regclass, a.oid, 0) i WHERE a.oid >= 16384`,
  operatorClasses: `SELECT i.identity, opcdefault, opcintype::regtype, opckeytype::regtype, f.identity AS family
    FROM pg_opclass c, LATERAL pg_identify_object('pg_opclass'::regclass, c.oid, 0) i,
      LATERAL pg_identify_object('pg_opfamily'::regclass, c.opcfamily, 0) f WHERE c.oid >= 16384`,
  casts: `SELECT castsource::regtype, casttarget::regtype, castfunc::regprocedure, castcontext, castmethod FROM pg_cast c
    WHERE c.oid >= 16384`,
  baseTypes: `SELECT t.oid::regtype, (to_jsonb(t) - '{oid,typnamespace,typowner,typrelid,typelem,typarray,typbasetype,typcollation,typdefaultbin,typacl}'::text[]),
      typelem::regtype FROM pg_type t WHERE typnamespace::regnamespace::text !~ '^pg_|information_schema' AND typname !~ '^_'`,
  textSearch: `SELECT c.oid::regconfig, tokid, alias, mapseqno, mapdict::regdictionary FROM pg_ts_config c
      JOIN pg_ts_config_map ON mapcfg = c.oid, LATERAL ts_token_type(cfgparser) WHERE tokid = maptokentype AND c.oid >= 16384`,
  dictionaries: `SELECT d.oid::regdictionary, dictinitoption FROM pg_ts_dict d WHERE d.oid >= 16384`,
  views: `SELECT c.oid::regclass, relkind, relispopulated, reloptions, pg_get_viewdef(c.oid), pg_get_userbyid(relowner)
    FROM pg_class c WHERE relkind IN ('v', 'm') AND c.oid >= 16384`,
  triggers: `SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(t.oid) FROM pg_trigger t
    WHERE tgname !~ '_ConstraintTrigger_'`,
  rules: `SELECT ev_class::regclass, rulename, ev_enabled, pg_get_ruledef(r.oid) FROM pg_rewrite r WHERE r.oid >= 16384`,
  policies: `SELECT polrelid::regclass, polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid),
      pg_get_expr(polwithcheck, polrelid), (SELECT array_agg(r::regrole::text) FROM unnest(polroles) r) FROM pg_policy`,
  rowSecurity: `SELECT c.oid::regclass, relrowsecurity, relforcerowsecurity FROM pg_class c WHERE relrowsecurity OR relforcerowsecurity`,
  statistics: `SELECT pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s`,
  eventTriggers: `SELECT evtname, evtevent, evtfoid::regproc, evtenabled, evttags FROM pg_event_trigger`,
  foreign: `SELECT srvname, srvtype, srvversion, srvoptions, fdwname, fdwoptions, fdwhandler::regproc, fdwvalidator::regproc
    FROM pg_foreign_data_wrapper w LEFT JOIN pg_foreign_server s ON s.srvfdw = w.oid`,
  mappings: 'SELECT srvname, usename, umoptions FROM pg_user_mappings',
  foreignTables: `SELECT ftrelid::regclass, srvname, ftoptions, (SELECT array_agg((attname, attfdwoptions) ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = ftrelid AND attnum > 0) FROM pg_foreign_table JOIN pg_foreign_server s ON s.oid = ftserver`,
  privileges: `SELECT c.oid::regclass, relacl::text, (SELECT array_agg((attname, attacl::text)) FROM pg_attribute
      WHERE attrelid = c.oid AND attacl IS NOT NULL) FROM pg_class c WHERE c.oid >= 16384 AND relkind <> 't' AND relnamespace::regnamespace::text !~ '^pg_'`,
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
