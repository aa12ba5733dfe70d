import type { ChangeCase } from './change-case.ts';

/** Keys that change, and keys of types whose equal values have different texts. */
export const keyCases: readonly ChangeCase[] = [
  {
    name: 'key_changes',
    tables: `
      CREATE TABLE one (id int PRIMARY KEY, v text, u int UNIQUE);
      CREATE TABLE two (a int, b text, v text, PRIMARY KEY (b, a));
      CREATE TABLE late (id int PRIMARY KEY, u int, w int, UNIQUE (u) DEFERRABLE, UNIQUE (w) DEFERRABLE INITIALLY DEFERRED);
      CREATE TABLE late_key (id int, v text, PRIMARY KEY (id) DEFERRABLE);
      ALTER TABLE late_key REPLICA IDENTITY FULL;
      CREATE TABLE late_key_beside (id int, code text NOT NULL UNIQUE, v text, PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED);
      ALTER TABLE late_key_beside REPLICA IDENTITY USING INDEX late_key_beside_code_key;
      CREATE TABLE spans (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));
      INSERT INTO one SELECT g, 'v' || g, g FROM generate_series(1, 20) g;
      INSERT INTO two SELECT g, 'b' || g % 3, 'v' || g FROM generate_series(1, 20) g;
      INSERT INTO late SELECT g, g, g FROM generate_series(1, 20) g;
      INSERT INTO late_key SELECT g, 'v' || g FROM generate_series(1, 20) g;
      INSERT INTO late_key_beside SELECT g, 'c' || g, 'v' || g FROM generate_series(1, 20) g;
      INSERT INTO spans SELECT g, int4range(g * 10, g * 10 + 5) FROM generate_series(1, 5) g`,
    changes: [
      'UPDATE one SET id = 100 WHERE id = 1; UPDATE one SET id = 1 WHERE id = 2; UPDATE one SET id = 2 WHERE id = 100',
      'UPDATE one SET id = -id; UPDATE one SET id = 1 - id, v = v || 1',
      "UPDATE one SET id = 50 WHERE id = 5; INSERT INTO one VALUES (5, 'again', 55); UPDATE one SET v = 'twice' WHERE id = 5; DELETE FROM one WHERE id = 50",
      "DELETE FROM one WHERE id = 6; UPDATE one SET id = 6 WHERE id = 7; INSERT INTO one VALUES (7, 'new', 77); UPDATE one SET id = 8000 WHERE id = 7",
      'UPDATE one SET u = -u; UPDATE one SET u = u + 1000 WHERE id % 2 = 0',
      'UPDATE one SET id = id; UPDATE one SET id = id + 0, v = v',
      'UPDATE two SET a = a + 100; UPDATE two SET b = b || a, a = a - 100; UPDATE two SET b = left(b, 2)',
      'UPDATE two SET a = 900 WHERE a = 3; UPDATE two SET a = 3 WHERE a = 6; UPDATE two SET a = 6 WHERE a = 900',
      'UPDATE late SET u = 21 - u; UPDATE late SET w = 21 - w',
      'SET CONSTRAINTS ALL DEFERRED; UPDATE late SET u = 5 WHERE id = 1; UPDATE late SET u = 20 WHERE u = 5 AND id <> 1',
      'UPDATE late_key SET id = id + 1; UPDATE late_key SET id = 23 - id',
      "UPDATE late_key_beside SET id = id + 1; UPDATE late_key_beside SET code = 'n' || code, id = 11 - id WHERE id < 10",
      "UPDATE late_key_beside SET code = 'x' WHERE code = 'c12'; UPDATE late_key_beside SET code = 'c12' WHERE code = 'nc3'; UPDATE late_key_beside SET code = 'nc3' WHERE code = 'x'",
      'UPDATE spans SET r = int4range(100, 101) WHERE id = 1; UPDATE spans SET r = int4range(10, 15) WHERE id = 2; UPDATE spans SET r = int4range(20, 25) WHERE id = 1',
    ],
  },
  {
    name: 'equal_texts',
    everywhere: 'CREATE EXTENSION citext WITH SCHEMA public',
    tables: `
      CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TYPE pair AS (a int, b text);
      CREATE TYPE mood AS ENUM ('so so', 'happy');
      CREATE DOMAIN code AS numeric(10,2);
      CREATE TABLE k_numeric (id numeric PRIMARY KEY, v text);
      CREATE TABLE k_citext (id citext PRIMARY KEY, v text);
      CREATE TABLE k_float (id float8 PRIMARY KEY, f float4 NOT NULL UNIQUE, v text);
      CREATE TABLE k_char (id char(6) PRIMARY KEY, v text);
      CREATE TABLE k_nocase (id text COLLATE nocase PRIMARY KEY, v text);
      CREATE TABLE k_bytes_beside (id text COLLATE nocase NOT NULL, v text);
      CREATE UNIQUE INDEX k_bytes_beside_id ON k_bytes_beside (id COLLATE "C");
      ALTER TABLE k_bytes_beside REPLICA IDENTITY USING INDEX k_bytes_beside_id;
      CREATE TABLE k_time (id timestamptz PRIMARY KEY, v text);
      CREATE TABLE k_interval (id interval PRIMARY KEY, v text);
      CREATE TABLE k_pair (id pair PRIMARY KEY, v text);
      CREATE TABLE k_array (id numeric[] PRIMARY KEY, v text);
      CREATE TABLE k_range (id numrange PRIMARY KEY, v text);
      CREATE TABLE k_mixed (n numeric, c citext, m mood, d code, v text, PRIMARY KEY (n, c, m, d));
      CREATE TABLE k_jsonb (id jsonb PRIMARY KEY, v text);
      CREATE TABLE met (id citext, n numeric, i int, v text, PRIMARY KEY (id, n, i));
      INSERT INTO k_numeric VALUES (1.0, 'a'), (2, 'b'), ('NaN', 'c');
      INSERT INTO k_citext VALUES ('Ab', 'a'), ('cd', 'b');
      INSERT INTO k_float VALUES (0, 0, 'a'), ('-Infinity', 1, 'b'), (1e-300, 1e-30, 'c');
      INSERT INTO k_char VALUES ('a', 'a'), ('b ', 'b'), ('é', 'c');
      INSERT INTO k_nocase VALUES ('Ab', 'a'), ('cd', 'b');
      INSERT INTO k_bytes_beside VALUES ('Ab', 'a'), ('ab', 'b'), ('AB', 'c');
      INSERT INTO k_time VALUES ('2024-01-01 00:00+02', 'a'), ('infinity', 'b');
      INSERT INTO k_interval VALUES ('24:00:00', 'a'), ('30 days', 'b');
      INSERT INTO k_pair VALUES ((1, 'x'), 'a'), ((2, NULL), 'b');
      INSERT INTO k_array VALUES ('{1.0,2}', 'a'), ('[0:1]={3,4}', 'b');
      INSERT INTO k_range VALUES ('[1.0,2)', 'a'), ('empty', 'b');
      INSERT INTO k_mixed VALUES (1.0, 'Ab', 'so so', 1, 'a'), (2, 'cd', 'happy', 2, 'b');
      INSERT INTO k_jsonb VALUES ('{"a": 1.0}', 'a'), ('[]', 'b')`,
    atDestination: `INSERT INTO equal_texts.met VALUES ('ABC', 1.0, 1, 'of somebody else')`,
    changes: [
      `INSERT INTO met VALUES ('abc', 1.00, 1, 'overwrites')`,
      ...[
        ['k_numeric', '1.0', '1.00', '1.000', '7.70'],
        ['k_citext', "'Ab'", "'aB'", "'AB'", "'zZ'"],
        ['k_char', "'a'", "'a '", "'a'", "'zz'"],
        ['k_nocase', "'Ab'", "'aB'", "'AB'", "'zZ'"],
        ['k_time', "'2024-01-01 00:00+02'", "'2024-01-01 01:00+03'", "'2023-12-31 22:00Z'", "'-infinity'"],
        [
          'k_interval',
          "interval '24:00:00'",
          "interval '1 day'",
          "interval '-1 day 48:00:00'",
          "interval '-1 mon 3 days'",
        ],
        ['k_pair', "(1, 'x')::pair", "(1, 'x')::pair", "(1, 'x')::pair", `(NULL, 'q "(,) ')::pair`],
        ['k_array', "'{1.0,2}'::numeric[]", "'{1.00,2}'", "'{1,2.0}'", "'{{7,NULL}}'"],
        ['k_range', "'[1.0,2)'::numrange", "'[1,2.0)'", "'[1.00,2)'", "'(,7]'"],
        ['k_jsonb', `'{"a": 1.0}'`, `'{"a": 1.00}'`, `'{"a": 1}'`, `'null'`],
      ].flatMap(([table, one, two, three, other]) => [
        `UPDATE ${table} SET id = ${two}, v = v || 1 WHERE id = ${one}`,
        `UPDATE ${table} SET v = v || 2 WHERE id = ${three}; UPDATE ${table} SET id = ${three} WHERE id = ${one}; UPDATE ${table} SET v = v || 3 WHERE id = ${one}`,
        `UPDATE ${table} SET id = ${other} WHERE id = ${one}; UPDATE ${table} SET v = v || 6; UPDATE ${table} SET id = ${two} WHERE id = ${other}`,
        `DELETE FROM ${table} WHERE id = ${one}; INSERT INTO ${table} VALUES (${two}, 'new'); UPDATE ${table} SET v = v || 4 WHERE id = ${one}`,
        `DELETE FROM ${table} WHERE id = ${one}; INSERT INTO ${table} VALUES (${one}, 'gone'); DELETE FROM ${table} WHERE id = ${one};
          INSERT INTO ${table} VALUES (${three}, 'gone too'); DELETE FROM ${table} WHERE id = ${one}; INSERT INTO ${table} VALUES (${two}, 'stays')`,
        `INSERT INTO ${table} VALUES (${one}, 'upsert') ON CONFLICT (id) DO UPDATE SET id = excluded.id, v = excluded.v`,
        `DELETE FROM ${table} WHERE id = ${two}; INSERT INTO ${table} VALUES (${three}, 'x'); DELETE FROM ${table} WHERE id = ${three}`,
        `INSERT INTO ${table} VALUES (${one}, 'back'); UPDATE ${table} SET id = ${two} WHERE id = ${one}; UPDATE ${table} SET v = v || 5`,
      ]),
      `UPDATE k_float SET id = '-0', f = '-0' WHERE id = 0; UPDATE k_float SET v = v || 1`,
      `UPDATE k_float SET v = 'zero' WHERE id = '-0'; DELETE FROM k_float WHERE id = 0; INSERT INTO k_float VALUES (0, '-0', 'new')`,
      `UPDATE k_float SET f = 3.4028235e38 WHERE id = 0; UPDATE k_float SET id = 1.1e-300 WHERE id = 1e-300`,
      `UPDATE k_bytes_beside SET v = v || id; UPDATE k_bytes_beside SET v = 'only' WHERE id COLLATE "C" = 'ab'`,
      `DELETE FROM k_bytes_beside WHERE id COLLATE "C" = 'Ab'; UPDATE k_bytes_beside SET id = 'Ab' WHERE id COLLATE "C" = 'AB'`,
      `UPDATE k_mixed SET n = 1.00, c = 'aB' WHERE n = 1; UPDATE k_mixed SET v = v || 1; DELETE FROM k_mixed WHERE m = 'happy'; INSERT INTO k_mixed VALUES (2.0, 'CD', 'happy', 2.00, 'new')`,
      `UPDATE k_mixed SET m = 'so so' WHERE m = 'happy'; UPDATE k_mixed SET v = v || 2`,
    ],
  },
];
