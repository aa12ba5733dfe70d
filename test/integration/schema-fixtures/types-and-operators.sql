-- Objects that stand behind types and operators, on purpose in circles and in schemas whose names sort the other way.
CREATE SCHEMA zoo;
CREATE SCHEMA "Äpp";

-- A base type: shell, functions, type, operators, classes.
CREATE TYPE zoo.num;
CREATE TYPE zoo.never_made;
CREATE FUNCTION zoo.num_in(cstring) RETURNS zoo.num LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION zoo.num_out(zoo.num) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION zoo.num_recv(internal) RETURNS zoo.num LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION zoo.num_send(zoo.num) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE zoo.num (INPUT = zoo.num_in, OUTPUT = zoo.num_out, RECEIVE = zoo.num_recv, SEND = zoo.num_send,
  INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4, CATEGORY = 'N', DEFAULT = '7', DELIMITER = ';');
COMMENT ON TYPE zoo.num IS 'base';
CREATE FUNCTION zoo.num_lt(zoo.num, zoo.num) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION zoo.num_le(zoo.num, zoo.num) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION zoo.num_eq(zoo.num, zoo.num) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION zoo.num_ne(zoo.num, zoo.num) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ne';
CREATE FUNCTION zoo.num_ge(zoo.num, zoo.num) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION zoo.num_gt(zoo.num, zoo.num) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION zoo.num_cmp(zoo.num, zoo.num) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION zoo.num_int_cmp(zoo.num, int) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION zoo.num_int_eq(zoo.num, int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION zoo.num_hash(zoo.num) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR zoo.< (LEFTARG = zoo.num, RIGHTARG = zoo.num, PROCEDURE = zoo.num_lt, COMMUTATOR = OPERATOR(zoo.>),
  NEGATOR = OPERATOR(zoo.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR zoo.<= (LEFTARG = zoo.num, RIGHTARG = zoo.num, PROCEDURE = zoo.num_le, COMMUTATOR = OPERATOR(zoo.>=), NEGATOR = OPERATOR(zoo.>));
CREATE OPERATOR zoo.= (LEFTARG = zoo.num, RIGHTARG = zoo.num, PROCEDURE = zoo.num_eq, COMMUTATOR = OPERATOR(zoo.=),
  NEGATOR = OPERATOR(zoo.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR zoo.<> (LEFTARG = zoo.num, RIGHTARG = zoo.num, PROCEDURE = zoo.num_ne, COMMUTATOR = OPERATOR(zoo.<>), NEGATOR = OPERATOR(zoo.=));
CREATE OPERATOR zoo.>= (LEFTARG = zoo.num, RIGHTARG = zoo.num, PROCEDURE = zoo.num_ge, COMMUTATOR = OPERATOR(zoo.<=), NEGATOR = OPERATOR(zoo.<));
CREATE OPERATOR zoo.> (LEFTARG = zoo.num, RIGHTARG = zoo.num, PROCEDURE = zoo.num_gt, COMMUTATOR = OPERATOR(zoo.<), NEGATOR = OPERATOR(zoo.<=));
CREATE OPERATOR zoo.= (LEFTARG = zoo.num, RIGHTARG = int, PROCEDURE = zoo.num_int_eq);
CREATE OPERATOR zoo.!@#% (RIGHTARG = zoo.num, PROCEDURE = zoo.num_hash);
COMMENT ON OPERATOR zoo.< (zoo.num, zoo.num) IS 'less';
COMMENT ON OPERATOR zoo.!@#% (NONE, zoo.num) IS 'prefix';
CREATE OPERATOR FAMILY zoo.num_family USING btree;
CREATE OPERATOR CLASS zoo.num_ops DEFAULT FOR TYPE zoo.num USING btree FAMILY zoo.num_family AS
  OPERATOR 1 zoo.<, OPERATOR 2 zoo.<=, OPERATOR 3 zoo.= (zoo.num, zoo.num), OPERATOR 4 zoo.>=, OPERATOR 5 zoo.>, FUNCTION 1 zoo.num_cmp(zoo.num, zoo.num);
ALTER OPERATOR FAMILY zoo.num_family USING btree ADD OPERATOR 3 zoo.= (zoo.num, int), FUNCTION 1 (zoo.num, int) zoo.num_int_cmp(zoo.num, int);
CREATE OPERATOR CLASS zoo.num_hash_ops DEFAULT FOR TYPE zoo.num USING hash AS OPERATOR 1 zoo.= (zoo.num, zoo.num), FUNCTION 1 zoo.num_hash(zoo.num);
CREATE OPERATOR CLASS zoo."My gin" FOR TYPE int[] USING gin AS
  OPERATOR 1 &&(anyarray, anyarray), FUNCTION 1 btint4cmp(int, int), FUNCTION 2 ginarrayextract(anyarray, internal, internal),
  FUNCTION 3 ginqueryarrayextract(anyarray, internal, smallint, internal, internal, internal, internal),
  FUNCTION 4 ginarrayconsistent(internal, smallint, anyarray, int, internal, internal, internal, internal), STORAGE int;
CREATE OPERATOR FAMILY zoo.empty_family USING gist;
COMMENT ON OPERATOR FAMILY zoo.num_family USING btree IS 'family';
COMMENT ON OPERATOR CLASS zoo.num_ops USING btree IS 'class';
CREATE TABLE zoo.nums (n zoo.num PRIMARY KEY, m zoo.num[] DEFAULT '{1;2}', a int[], b zoo.num DEFAULT '3', EXCLUDE USING hash (b WITH OPERATOR(zoo.=)));
CREATE INDEX nums_b ON zoo.nums USING hash (b);
CREATE INDEX nums_a ON zoo.nums USING gin (a zoo."My gin");

-- Casts of every way.
CREATE TYPE zoo.pair AS (a int, "B b" text COLLATE "C");
CREATE TYPE zoo.single AS (x int);
CREATE FUNCTION zoo.pair_to_single(zoo.pair) RETURNS zoo.single LANGUAGE sql AS 'SELECT ROW($1.a)::zoo.single';
CREATE CAST (zoo.pair AS zoo.single) WITH FUNCTION zoo.pair_to_single(zoo.pair) AS ASSIGNMENT;
CREATE CAST (zoo.num AS int) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (zoo.single AS text) WITH INOUT;
COMMENT ON CAST (zoo.num AS int) IS 'binary';
COMMENT ON COLUMN zoo.pair."B b" IS 'attribute';

-- Ranges with functions that need them.
CREATE TYPE zoo.textrange;
CREATE FUNCTION zoo.textrange_canonical(zoo.textrange) RETURNS zoo.textrange LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE FUNCTION zoo.text_distance(text, text) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 1.0::float8';
CREATE TYPE zoo.textrange AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_DIFF = zoo.text_distance, CANONICAL = zoo.textrange_canonical);
CREATE TYPE zoo.numrange AS RANGE (SUBTYPE = zoo.num);
COMMENT ON TYPE zoo.textrange IS 'range';

-- Domains whose checks need what needs them.
CREATE DOMAIN zoo.code AS text DEFAULT 'a' || 'b';
CREATE FUNCTION zoo.code_ok(zoo.code) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT length($1) < 10';
ALTER DOMAIN zoo.code ADD CONSTRAINT "is ok" CHECK (zoo.code_ok(VALUE));
COMMENT ON CONSTRAINT "is ok" ON DOMAIN zoo.code IS 'on a domain';
CREATE DOMAIN zoo.codes AS zoo.num[] NOT NULL;

-- A composite type of a table's row, and a table of that.
CREATE TABLE zoo.base (id int PRIMARY KEY, label text NOT NULL DEFAULT 'x');
CREATE TYPE zoo.of_rows AS (r zoo.base, rs zoo.base[]);
CREATE TABLE zoo.of_types (a zoo.of_rows, c zoo.codes, d zoo.textrange, e zoo.numrange);
CREATE TABLE zoo.typed OF zoo.pair (a WITH OPTIONS PRIMARY KEY, "B b" WITH OPTIONS DEFAULT 'q' NOT NULL, CHECK (a > 3));
CREATE TABLE zoo.typed_plain OF zoo.single;

-- Functions of every make.
CREATE FUNCTION zoo.all_of_it(IN a int, OUT b text, INOUT c numeric DEFAULT 1.5, VARIADIC d text[] DEFAULT '{}')
  RETURNS SETOF record LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER LEAKPROOF PARALLEL RESTRICTED COST 42 ROWS 17
  SET search_path = zoo, "Äpp", pg_temp SET work_mem = '8MB' SET "app.custom" = 'it''s'
  AS $body$ BEGIN RETURN QUERY SELECT 'x$$y'::text, 1.0; END $body$;
CREATE FUNCTION zoo."Odd ""Name"""("Arg 1" zoo.pair, zoo.base[]) RETURNS TABLE (x int, "Y y" text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1, 'a' $$;
CREATE FUNCTION zoo.overloaded(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION zoo.overloaded(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION zoo.overloaded(VARIADIC int[]) RETURNS int LANGUAGE sql AS 'SELECT 3';
CREATE FUNCTION zoo.broken_body() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION zoo.late(t zoo.base) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).label';
CREATE FUNCTION zoo.my_rank() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_rank';
CREATE FUNCTION zoo.poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
COMMENT ON FUNCTION zoo.overloaded(text) IS 'text one';
COMMENT ON FUNCTION zoo.all_of_it(int, numeric, text[]) IS 'all';
ALTER TABLE zoo.base ADD CONSTRAINT own_row CHECK (zoo.late(base.*) <> 'never');
ALTER TABLE zoo.base ALTER label SET DEFAULT zoo.late(ROW(1, 'd')::zoo.base);
CREATE INDEX base_late ON zoo.base (zoo.late(base.*), id);

-- Aggregates.
CREATE AGGREGATE zoo.plain_sum(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', COMBINEFUNC = int4pl, PARALLEL = SAFE);
CREATE AGGREGATE zoo.moving(float8) (SFUNC = float8pl, STYPE = float8, MSFUNC = float8pl, MINVFUNC = float8mi, MSTYPE = float8, MSSPACE = 100, SSPACE = 64);
CREATE AGGREGATE zoo.median(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE zoo.my_rank(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE zoo.rows(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE FUNCTION zoo.least_num(zoo.num, zoo.num) RETURNS zoo.num LANGUAGE internal IMMUTABLE STRICT AS 'int4smaller';
CREATE AGGREGATE zoo.smallest(zoo.num) (SFUNC = zoo.least_num, STYPE = zoo.num, SORTOP = OPERATOR(zoo.<));
CREATE AGGREGATE zoo.average(int8) (SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg, COMBINEFUNC = int8_avg_combine,
  SERIALFUNC = int8_avg_serialize, DESERIALFUNC = int8_avg_deserialize, MSFUNC = int8_avg_accum, MINVFUNC = int8_avg_accum_inv,
  MSTYPE = internal, MFINALFUNC = numeric_poly_avg, PARALLEL = RESTRICTED);
COMMENT ON AGGREGATE zoo.rows(*) IS 'counts';
COMMENT ON AGGREGATE zoo.median(float8 ORDER BY anyelement) IS 'ordered';

-- Text search.
CREATE TEXT SEARCH PARSER zoo.own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE zoo.own_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY zoo.own_dict (TEMPLATE = zoo.own_template, StopWords = english, Accept = false);
CREATE TEXT SEARCH DICTIONARY zoo."Other dict" (TEMPLATE = snowball, Language = german);
CREATE TEXT SEARCH CONFIGURATION zoo.own_config (PARSER = zoo.own_parser);
ALTER TEXT SEARCH CONFIGURATION zoo.own_config ADD MAPPING FOR asciiword, word, hword WITH zoo.own_dict, zoo."Other dict", simple;
ALTER TEXT SEARCH CONFIGURATION zoo.own_config ADD MAPPING FOR email, url WITH simple;
CREATE TEXT SEARCH CONFIGURATION zoo.copied (COPY = english);
COMMENT ON TEXT SEARCH CONFIGURATION zoo.own_config IS 'config';
COMMENT ON TEXT SEARCH DICTIONARY zoo.own_dict IS 'dict';
COMMENT ON TEXT SEARCH PARSER zoo.own_parser IS 'parser';
COMMENT ON TEXT SEARCH TEMPLATE zoo.own_template IS 'template';
CREATE TABLE zoo.documents (id int, body text, tsv tsvector);
CREATE INDEX documents_body ON zoo.documents USING gin (to_tsvector('zoo.own_config', body));
CREATE TRIGGER documents_tsv BEFORE INSERT OR UPDATE ON zoo.documents FOR EACH ROW EXECUTE PROCEDURE tsvector_update_trigger('tsv', 'pg_catalog.english', 'body');

-- Conversions, languages, access methods, transforms.
CREATE CONVERSION zoo.own_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DEFAULT CONVERSION zoo.default_conversion FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
COMMENT ON CONVERSION zoo.own_conversion IS 'conversion';
CREATE TRUSTED LANGUAGE own_plpgsql HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
COMMENT ON LANGUAGE own_plpgsql IS 'language';
CREATE FUNCTION zoo.in_own_language() RETURNS int LANGUAGE own_plpgsql AS 'BEGIN RETURN 1; END';
CREATE ACCESS METHOD own_gist TYPE INDEX HANDLER gisthandler;
COMMENT ON ACCESS METHOD own_gist IS 'method';
CREATE OPERATOR CLASS zoo.own_box_ops DEFAULT FOR TYPE box USING own_gist AS
  OPERATOR 1 <<, OPERATOR 2 &<, OPERATOR 3 &&, OPERATOR 4 &>, OPERATOR 5 >>, OPERATOR 6 ~=, OPERATOR 7 @>, OPERATOR 8 <@,
  FUNCTION 1 gist_box_consistent(internal, box, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal),
  FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal);
CREATE TABLE zoo.boxes (b box);
CREATE FUNCTION zoo.from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE STRICT AS 'prsd_lextype';
CREATE TRANSFORM FOR zoo.pair LANGUAGE own_plpgsql (FROM SQL WITH FUNCTION zoo.from_sql(internal));
COMMENT ON TRANSFORM FOR zoo.pair LANGUAGE own_plpgsql IS 'transform';
