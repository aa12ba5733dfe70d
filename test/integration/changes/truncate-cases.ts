import type { ChangeCase } from './change-case.ts';

/** A table that no task selects, one that a sink leaves out, and one that only destinations have, refer to truncated ones. */
export const truncateCases: readonly ChangeCase[] = [
  {
    name: 'truncates',
    tables: `
      CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);
      CREATE TABLE b (id serial PRIMARY KEY, a_id int REFERENCES a, b_id int REFERENCES b);
      CREATE TABLE c (b_id int REFERENCES b, note text);
      ALTER TABLE c REPLICA IDENTITY FULL;
      CREATE TABLE alone (id serial PRIMARY KEY, note text);
      CREATE TABLE not_selected (id serial PRIMARY KEY, a_id int REFERENCES a);
      CREATE TABLE not_taken (id serial PRIMARY KEY, a_id int REFERENCES a);
      INSERT INTO a (n) SELECT generate_series(1, 10);
      INSERT INTO b (a_id) SELECT generate_series(1, 10);
      INSERT INTO c SELECT 1 + g % 10, 'note' FROM generate_series(1, 30) g;
      INSERT INTO alone (note) SELECT 'x' FROM generate_series(1, 5);
      INSERT INTO not_selected (a_id) VALUES (1), (2);
      INSERT INTO not_taken (a_id) VALUES (1), (2)`,
    changes: [
      "INSERT INTO alone (note) VALUES ('before'); TRUNCATE alone RESTART IDENTITY; INSERT INTO alone (note) VALUES ('after')",
      'UPDATE alone SET note = note || 1; TRUNCATE alone; TRUNCATE alone',
      'INSERT INTO alone (note) SELECT g::text FROM generate_series(1, 9) g',
      "INSERT INTO c SELECT id, 'late' FROM b; TRUNCATE c; INSERT INTO c SELECT id, 'later' FROM b LIMIT 3",
      `INSERT INTO a (n) VALUES (-1); DELETE FROM c; UPDATE b SET a_id = 1; TRUNCATE a RESTART IDENTITY CASCADE;
        INSERT INTO a (n) VALUES (100), (200); INSERT INTO b (a_id) SELECT id FROM a; INSERT INTO c SELECT id, 'new' FROM b`,
      'UPDATE a SET n = n + 1; UPDATE c SET note = note || 2',
      'TRUNCATE a, alone, b, c, not_selected, not_taken CONTINUE IDENTITY; INSERT INTO a (n) VALUES (5)',
      'INSERT INTO a (n) VALUES (6), (7); INSERT INTO not_taken (a_id) SELECT max(id) FROM a',
      `BEGIN; INSERT INTO alone (note) VALUES ('kept'); SAVEPOINT s; TRUNCATE alone, not_taken; INSERT INTO alone (note) VALUES ('lost');
        ROLLBACK TO s; INSERT INTO alone (note) VALUES ('kept too'); COMMIT`,
    ],
  },
  {
    name: 'truncates_below_extra',
    tables: `CREATE TABLE a (id int PRIMARY KEY, n serial); CREATE TABLE other (id int PRIMARY KEY);
      INSERT INTO a SELECT generate_series(1, 10); INSERT INTO other SELECT generate_series(1, 10)`,
    atDestination: `CREATE TABLE truncates_below_extra.extra (id int, a_id int REFERENCES truncates_below_extra.a);
      INSERT INTO truncates_below_extra.extra VALUES (1, 1)`,
    changes: [
      `INSERT INTO a VALUES (11); TRUNCATE a, other RESTART IDENTITY; INSERT INTO a VALUES (1), (12)`,
      'UPDATE a SET n = n + 10',
    ],
    afterwards: ['SELECT count(*) FROM truncates_below_extra.extra', '1'],
  },
  {
    name: 'truncates_of_trees',
    tables: `
      CREATE TABLE root (id int, part int, n int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
      CREATE TABLE leaf1 PARTITION OF root FOR VALUES IN (1);
      CREATE TABLE inner2 PARTITION OF root FOR VALUES IN (2, 3) PARTITION BY HASH (id);
      CREATE TABLE leaf2a PARTITION OF inner2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE leaf2b PARTITION OF inner2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      CREATE TABLE referring (id int, part int, root_part int, PRIMARY KEY (id, part), FOREIGN KEY (id, root_part) REFERENCES root)
        PARTITION BY RANGE (part);
      CREATE TABLE referring1 PARTITION OF referring FOR VALUES FROM (0) TO (10);
      CREATE TABLE referring2 PARTITION OF referring DEFAULT;
      CREATE TABLE parent (id int PRIMARY KEY, n int);
      CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (parent);
      CREATE TABLE grandchild (more text, PRIMARY KEY (id)) INHERITS (child);
      INSERT INTO root SELECT g, 1 + g % 3, g FROM generate_series(1, 60) g;
      INSERT INTO referring SELECT id, id % 20, part FROM root;
      INSERT INTO parent SELECT g, g FROM generate_series(1, 5) g;
      INSERT INTO child SELECT g, g, 'c' FROM generate_series(11, 15) g;
      INSERT INTO grandchild SELECT g, g, 'g', 'm' FROM generate_series(21, 25) g`,
    changes: [
      'TRUNCATE referring2; INSERT INTO referring SELECT id, id + 100, part FROM root WHERE id < 5',
      'INSERT INTO root VALUES (100, 1, 1); TRUNCATE root CASCADE; INSERT INTO root SELECT g, 1 + g % 3, g FROM generate_series(1, 30) g',
      'INSERT INTO referring SELECT id, id % 20, part FROM root; UPDATE root SET n = n + 1',
      'TRUNCATE leaf1 CASCADE; INSERT INTO root VALUES (500, 1, 5)',
      'TRUNCATE ONLY parent; INSERT INTO parent VALUES (1, 1)',
      "UPDATE parent SET n = n + 1; TRUNCATE child; INSERT INTO grandchild VALUES (31, 1, 'g', 'm')",
      "INSERT INTO child VALUES (41, 1, 'c'); TRUNCATE parent, referring, root; INSERT INTO parent VALUES (2, 2)",
      'TRUNCATE inner2 CASCADE; INSERT INTO root SELECT g, 2, g FROM generate_series(1, 10) g; TRUNCATE leaf2a CASCADE',
    ],
  },
];
