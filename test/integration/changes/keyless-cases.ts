import type { ChangeCase } from './change-case.ts';

/** Tables without a key, where equal rows cannot be told apart; and identities of other columns than the key's. */
export const keylessCases: readonly ChangeCase[] = [
  {
    name: 'without_key',
    tables: `
      CREATE TABLE plain (a int, b text, c numeric);
      CREATE TABLE odd (j json, p point, x xml, b box, v varchar(3)[], n int);
      CREATE TABLE nothing_in_it ();
      CREATE TABLE numbers (n numeric, f float8, g float4, t text);
      CREATE TABLE texts (c char(5), t text, ts timestamptz, i interval);
      CREATE TABLE arrays (a int[], o json);
      ALTER TABLE plain REPLICA IDENTITY FULL;
      ALTER TABLE odd REPLICA IDENTITY FULL;
      ALTER TABLE nothing_in_it REPLICA IDENTITY FULL;
      ALTER TABLE numbers REPLICA IDENTITY FULL;
      ALTER TABLE texts REPLICA IDENTITY FULL;
      ALTER TABLE arrays REPLICA IDENTITY FULL;
      INSERT INTO plain SELECT g % 3, CASE WHEN g % 2 = 0 THEN 'x' END, NULL FROM generate_series(1, 60) g;
      INSERT INTO odd SELECT '{"a": 1,  "a": 2}', '(1,2)', '<a/>', '(1,1),(0,0)', '{abc,NULL}', g % 2 FROM generate_series(1, 20) g;
      INSERT INTO nothing_in_it SELECT FROM generate_series(1, 10);
      INSERT INTO numbers SELECT 1.0, '-0', 0.1, 'a' FROM generate_series(1, 5);
      INSERT INTO numbers SELECT 1.00, 0, 0.1, 'a' FROM generate_series(1, 5);
      INSERT INTO texts SELECT 'ab', NULL, 'infinity', '24:00:00' FROM generate_series(1, 6);
      INSERT INTO texts SELECT 'ab', '', 'infinity', '1 day' FROM generate_series(1, 6);
      INSERT INTO arrays SELECT '{1,NULL}', '[]' FROM generate_series(1, 6)`,
    changes: [
      `DELETE FROM plain WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain WHERE a = 1 AND b IS NULL LIMIT 3))`,
      `UPDATE plain SET c = 1.0 WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain WHERE a = 0 AND b = 'x' LIMIT 4))`,
      `UPDATE plain SET c = 1.00 WHERE ctid = (SELECT ctid FROM plain WHERE c = 1.0 LIMIT 1); DELETE FROM plain WHERE ctid = (SELECT ctid FROM plain WHERE c::text = '1.0' LIMIT 1)`,
      `INSERT INTO plain SELECT 9, 'n', NULL FROM generate_series(1, 5); UPDATE plain SET a = 10 WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain WHERE a = 9 LIMIT 2));
        DELETE FROM plain WHERE ctid = (SELECT ctid FROM plain WHERE a = 9 LIMIT 1); UPDATE plain SET b = NULL WHERE a = 10`,
      `UPDATE plain SET a = a; DELETE FROM plain WHERE a = 2`,
      `UPDATE plain SET a = 1 - a WHERE a IN (0, 1)`,
      `UPDATE odd SET n = n + 1 WHERE ctid = ANY (ARRAY(SELECT ctid FROM odd WHERE n = 1 LIMIT 3)); DELETE FROM odd WHERE ctid = ANY (ARRAY(SELECT ctid FROM odd WHERE n = 0 LIMIT 3))`,
      `UPDATE odd SET j = NULL, p = NULL, x = NULL WHERE ctid = ANY (ARRAY(SELECT ctid FROM odd LIMIT 3)); UPDATE odd SET j = '1' WHERE ctid = (SELECT ctid FROM odd WHERE j IS NULL LIMIT 1)`,
      `DELETE FROM nothing_in_it WHERE ctid = ANY (ARRAY(SELECT ctid FROM nothing_in_it LIMIT 3)); INSERT INTO nothing_in_it DEFAULT VALUES`,
      `UPDATE numbers SET t = 'b' WHERE ctid = ANY (ARRAY(SELECT ctid FROM numbers WHERE n::text = '1.0' LIMIT 2)); DELETE FROM numbers WHERE ctid = (SELECT ctid FROM numbers WHERE f::text = '0' LIMIT 1)`,
      `UPDATE numbers SET f = 0 WHERE f::text = '-0' AND t = 'b'; UPDATE numbers SET g = 1e-5, n = 'NaN' WHERE ctid = (SELECT ctid FROM numbers LIMIT 1); DELETE FROM numbers WHERE n = 'NaN'`,
      `UPDATE texts SET c = 'cd' WHERE ctid = ANY (ARRAY(SELECT ctid FROM texts WHERE t IS NULL LIMIT 2)); DELETE FROM texts WHERE ctid = (SELECT ctid FROM texts WHERE i::text = '1 day' LIMIT 1)`,
      `UPDATE texts SET i = '1 day' WHERE ctid = (SELECT ctid FROM texts WHERE t IS NULL AND i::text = '24:00:00' LIMIT 1); UPDATE texts SET t = NULL`,
      `UPDATE arrays SET a[1] = 5 WHERE ctid = (SELECT ctid FROM arrays LIMIT 1); UPDATE arrays SET a[2] = 6 WHERE a[1] = 5; UPDATE arrays SET o = '{}' WHERE a[1] = 5; DELETE FROM arrays WHERE ctid = (SELECT ctid FROM arrays WHERE a[1] = 1 LIMIT 1)`,
      `BEGIN; INSERT INTO plain SELECT 77, 'many', g FROM generate_series(1, 3000) g; DELETE FROM plain WHERE a = 77 AND c::int % 2 = 0; UPDATE plain SET b = 'few' WHERE a = 77 AND c::int % 3 = 0; COMMIT`,
    ],
  },
  {
    name: 'by_index',
    tables: `
      CREATE TABLE last_columns (note text, n int, b int NOT NULL, x text, a text NOT NULL, UNIQUE (a, b));
      ALTER TABLE last_columns REPLICA IDENTITY USING INDEX last_columns_a_b_key;
      CREATE TABLE beside_key (id int PRIMARY KEY, n int, code text NOT NULL);
      CREATE UNIQUE INDEX beside_key_code ON beside_key (code) INCLUDE (n);
      ALTER TABLE beside_key REPLICA IDENTITY USING INDEX beside_key_code;
      CREATE TABLE full_with_key (n int, id int PRIMARY KEY, note text);
      ALTER TABLE full_with_key REPLICA IDENTITY FULL;
      CREATE TABLE key_only (a int, b int, PRIMARY KEY (a, b));
      INSERT INTO last_columns SELECT 'n', g, g, NULL, 'a' || g % 2 FROM generate_series(1, 10) g;
      INSERT INTO beside_key SELECT g, g, 'c' || g FROM generate_series(1, 10) g;
      INSERT INTO full_with_key SELECT g, g, 'n' FROM generate_series(1, 10) g;
      INSERT INTO key_only SELECT g, g FROM generate_series(1, 10) g`,
    changes: [
      `UPDATE last_columns SET n = n + 1; UPDATE last_columns SET a = a || b WHERE b < 5; DELETE FROM last_columns WHERE b = 6; INSERT INTO last_columns VALUES ('new', 1, 6, 'x', 'a0')`,
      `UPDATE last_columns SET b = b + 100; UPDATE last_columns SET b = b - 100, x = 'moved'; DELETE FROM last_columns WHERE b = 1`,
      `UPDATE beside_key SET id = id + 100; UPDATE beside_key SET id = 311 - id, n = -n WHERE id > 105; UPDATE beside_key SET code = code || '!' WHERE n > 2`,
      `DELETE FROM beside_key WHERE code = 'c1'; INSERT INTO beside_key VALUES (500, 1, 'c1'); UPDATE beside_key SET id = 501 WHERE code = 'c1'`,
      `UPDATE full_with_key SET note = NULL WHERE id < 5; UPDATE full_with_key SET id = id + 20 WHERE id < 3; DELETE FROM full_with_key WHERE note IS NULL AND n > 3; UPDATE full_with_key SET n = n`,
      `UPDATE key_only SET a = a; UPDATE key_only SET b = b + 1 WHERE a < 4; DELETE FROM key_only WHERE a = 5; INSERT INTO key_only VALUES (5, 5), (5, 6)`,
    ],
  },
];
