import type { ChangeCase } from './change-case.ts';

const tables = ['by_default', 'by_full', 'by_index', 'without_key'] as const;

const big = (text: string) => `repeat(md5(${text}), 200)`;

/** Values that the WAL does not carry when they did not change, under each replica identity. */
export const toastCases: readonly ChangeCase[] = [
  {
    name: 'unchanged_toast',
    tables: `
      CREATE TABLE by_default (id int PRIMARY KEY, code text NOT NULL, n int, big text STORAGE EXTERNAL, big2 bytea STORAGE EXTERNAL, big3 numeric[] STORAGE EXTERNAL);
      CREATE TABLE by_full (LIKE by_default INCLUDING ALL);
      ALTER TABLE by_full REPLICA IDENTITY FULL;
      CREATE TABLE by_index (LIKE by_default INCLUDING ALL, UNIQUE (code));
      ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
      CREATE TABLE without_key (LIKE by_default INCLUDING STORAGE);
      ALTER TABLE without_key REPLICA IDENTITY FULL;
      CREATE TABLE big_key (id text STORAGE EXTERNAL PRIMARY KEY, n int, big text STORAGE EXTERNAL);
      INSERT INTO big_key SELECT repeat(chr(64 + g), 2200), g, ${big('g::text')} FROM generate_series(1, 4) g;
      ${tables
        .map(
          (
            table,
          ) => `INSERT INTO ${table} SELECT g, 'c' || g, g, ${big('g::text')}, decode(${big('(g + 1)::text')}, 'hex'), array_fill(g::numeric, '{3000}')
        FROM generate_series(1, 12) g;`,
        )
        .join('\n')}`,
    changes: [
      ...tables.flatMap((table) => [
        `UPDATE ${table} SET n = n + 1`,
        `UPDATE ${table} SET n = n + 1 WHERE id < 6; UPDATE ${table} SET big = ${big("id || 'x'")} WHERE id % 2 = 0; UPDATE ${table} SET n = -n`,
        `UPDATE ${table} SET id = id + 100, code = 'd' || id WHERE id < 4; UPDATE ${table} SET n = 7 WHERE id > 100`,
        `INSERT INTO ${table} SELECT g, 'c' || g, g, ${big("g || 'y'")}, NULL, NULL FROM generate_series(21, 24) g; UPDATE ${table} SET n = n + 1 WHERE id > 20; UPDATE ${table} SET id = id + 1000 WHERE id IN (21, 22); UPDATE ${table} SET code = code || '!' WHERE id > 1000; DELETE FROM ${table} WHERE id = 1022`,
        `UPDATE ${table} SET big = NULL WHERE id = 5; UPDATE ${table} SET big2 = NULL WHERE id = 6; UPDATE ${table} SET n = 0 WHERE id IN (5, 6)`,
        `DELETE FROM ${table} WHERE id = 7; INSERT INTO ${table} SELECT 7, 'c7', 7, ${big("'again'")}, NULL, NULL; UPDATE ${table} SET n = 8 WHERE id = 7; UPDATE ${table} SET n = 9, code = 'c7b' WHERE id = 7`,
        `UPDATE ${table} SET n = n; UPDATE ${table} SET big = big, big2 = big2, code = code`,
        `UPDATE ${table} SET big = ${big("'key and value'")}, id = id + 5000 WHERE id = 8; UPDATE ${table} SET big3 = big3 || 1 WHERE id = 5008; UPDATE ${table} SET id = 8 WHERE id = 5008`,
      ]),
      'UPDATE big_key SET n = n + 1; UPDATE big_key SET big = NULL WHERE n = 2',
      `UPDATE big_key SET id = id || 'x' WHERE n = 3; UPDATE big_key SET n = n + 10; DELETE FROM big_key WHERE n = 14; INSERT INTO big_key SELECT repeat('z', 2300), 1, NULL; UPDATE big_key SET n = 2 WHERE n = 1`,
    ],
  },
];
