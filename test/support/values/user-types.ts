/** Types as users make them, in the schema kinds. */
export const userTypesSql = `
  CREATE SCHEMA kinds;
  CREATE TYPE kinds.mood AS ENUM ('', 'ok', 'it''s "x"', 'a,b', '{}', '\\', 'NULL');
  CREATE TYPE kinds.pair AS (a int, "B b" text, gone int, m kinds.mood);
  ALTER TYPE kinds.pair DROP ATTRIBUTE gone;
  CREATE TYPE kinds.nested AS (p kinds.pair, ps kinds.pair[], t timestamptz, n numeric);
  CREATE TYPE kinds.empty AS ();
  CREATE DOMAIN kinds.positive AS int CHECK (VALUE > 0);
  CREATE DOMAIN kinds.required AS text COLLATE "C" NOT NULL CHECK (VALUE <> 'no');
  CREATE DOMAIN kinds.over_domain AS kinds.positive CHECK (VALUE < 1000000);
  CREATE DOMAIN kinds.short AS varchar(5);
  CREATE DOMAIN kinds.ints AS int[] CHECK (cardinality(VALUE) < 10);
  CREATE TYPE kinds.with_domains AS (d kinds.positive, s kinds.short, i kinds.ints);
  CREATE TYPE kinds.texts AS RANGE (subtype = text, collation = "C");
  CREATE TYPE kinds.floats AS RANGE (subtype = float8, subtype_diff = float8mi);
  CREATE TABLE kinds."Odd.table" (id int PRIMARY KEY);`;

/** What values of reg* types name, beside tables and types; at both ends. */
export const namedObjectsSql = `
  CREATE SCHEMA names;
  CREATE FUNCTION names.odd_function(int, text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION names.overloaded(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION names.overloaded(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION names.compare(text, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE OPERATOR names.<=> (LEFTARG = text, RIGHTARG = text, PROCEDURE = names.compare);
  CREATE COLLATION names."odd collation" FROM "C";
  CREATE TEXT SEARCH CONFIGURATION names.odd_config (COPY = pg_catalog.english);`;

/** By type as SQL writes it. */
export const userSamples: Readonly<Record<string, readonly string[]>> = {
  'kinds.mood': ['', 'ok', 'it\'s "x"', 'a,b', '{}', '\\', 'NULL'],
  'kinds.pair': ['(1,"x y",ok)', '(,,)', '(,"",)', '(-1,"\\"\\\\,()",\\\\)', '(2,\\\\N,"it\'s ""x""")'],
  'kinds.nested': [
    '(,,,)',
    '("(1,""a,b"",ok)","{""(2,\\\\""\\\\"",)"",NULL}",2020-01-01 00:00:00+00,NaN)',
    '("(,,)",{},infinity,-0.00)',
  ],
  'kinds.empty': ['()'],
  'kinds.positive': ['1', '2147483647'],
  'kinds.over_domain': ['1', '999999'],
  'kinds.short': ['', 'ü€𝄞  ', '\\N'],
  'kinds.ints': ['{}', '{1,NULL,-1}', '[2:3]={5,6}', '[0:1][-1:0]={{1,2},{3,NULL}}'],
  'kinds.with_domains': ['(,,)', '(1,"a,b","[5:6]={1,NULL}")'],
  'kinds.texts': ['empty', '[a,"b,c")', '(,)', '["","\\"\\\\")'],
  'kinds.floats': ['empty', '[-0,Infinity)', '(-Infinity,NaN]'],
};

/** Domains that refuse NULL are in columns of their own: an array of all NULLs could not be. */
export const requiredSamples: Readonly<Record<string, readonly string[]>> = { 'kinds.required': ['', 'yes', '\\N'] };

/** From 11 on: domains over composites. */
export const since11Sql = `CREATE DOMAIN kinds.over_pair AS kinds.pair CHECK ((VALUE).a IS DISTINCT FROM 0)`;
export const since11Samples: Readonly<Record<string, readonly string[]>> = {
  'kinds.over_pair': ['(1,"x y",ok)', '(,,)', '(3,"",)'],
};

/** From 14 on a range brings its multirange. */
export const since14Samples: Readonly<Record<string, readonly string[]>> = {
  'kinds.texts_multirange': ['{}', '{[a,"b,c"),["\\\\",x),(y,)}'],
  'kinds.floats_multirange': ['{[-0,1),[2,Infinity]}'],
};
