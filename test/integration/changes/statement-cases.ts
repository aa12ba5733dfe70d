import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { ChangeCase } from './change-case.ts';

async function copyRows(client: pg.Client): Promise<void> {
  const rows = Array.from(
    { length: 3_000 },
    (_, index) => `${10_000 + index}\t${index % 5 === 0 ? '\\N' : `row ${index}`}\t0\n`,
  );
  await pipeline(Readable.from(rows), client.query(copyFrom('COPY main (id, note, n) FROM STDIN')));
}

/** Names of prepared transactions are the server's, not the database's. */
const prepared = `changes ${randomUUID()} `;

/** Constraints that are checked late, and every statement that changes rows. */
export const statementCases: readonly ChangeCase[] = [
  {
    name: 'references_between',
    tables: `
      CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree DEFERRABLE INITIALLY DEFERRED, n int);
      CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL);
      CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL REFERENCES hen DEFERRABLE INITIALLY DEFERRED);
      ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
      CREATE TABLE owner (id int PRIMARY KEY, name text);
      CREATE TABLE owned (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE CASCADE ON UPDATE CASCADE);
      CREATE TABLE lent (id int PRIMARY KEY, owned int DEFAULT 0 REFERENCES owned ON DELETE SET NULL, keeper int REFERENCES owner ON DELETE SET NULL ON UPDATE CASCADE);
      INSERT INTO tree SELECT g, NULLIF(g / 2, 0), g FROM generate_series(1, 40) g;
      BEGIN; INSERT INTO hen SELECT g, g FROM generate_series(1, 5) g; INSERT INTO egg SELECT g, g FROM generate_series(1, 5) g; COMMIT;
      INSERT INTO owner SELECT g, 'o' FROM generate_series(1, 10) g;
      INSERT INTO owned SELECT g, 1 + g % 10 FROM generate_series(1, 40) g;
      INSERT INTO lent SELECT g, g, 1 + g % 10 FROM generate_series(1, 40) g`,
    changes: [
      `INSERT INTO tree VALUES (100, 101, 0), (101, 102, 0), (102, 100, 0); UPDATE tree SET parent = 102 WHERE id = 1; DELETE FROM tree WHERE id = 40`,
      `DELETE FROM tree WHERE id IN (100, 101, 102); UPDATE tree SET parent = NULL WHERE parent = 102; UPDATE tree SET id = id + 1000, parent = parent + 1000`,
      `INSERT INTO egg VALUES (6, 6), (7, 7); INSERT INTO hen VALUES (6, 7), (7, 6); UPDATE egg SET hen = 13 - hen WHERE id > 5`,
      `DELETE FROM hen WHERE id = 1; DELETE FROM egg WHERE hen = 1`,
      `UPDATE owner SET id = id + 100 WHERE id < 5; DELETE FROM owner WHERE id IN (101, 6); UPDATE lent SET owned = NULL WHERE id = 3`,
      `WITH new AS (INSERT INTO owner VALUES (500, 'new') RETURNING id) INSERT INTO owned SELECT 900, 7 FROM new; UPDATE owned SET owner = 500 WHERE id = 900; DELETE FROM owner WHERE id = 500`,
    ],
  },
  {
    name: 'statements',
    tables: `
      CREATE TABLE main (id int PRIMARY KEY, note text, n int DEFAULT 0);
      CREATE TABLE log (at int, note text);
      ALTER TABLE log REPLICA IDENTITY FULL;
      CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
      CREATE TABLE fixed (id int PRIMARY KEY);
      INSERT INTO main SELECT g, 'main ' || g FROM generate_series(1, 100) g;
      INSERT INTO unlogged VALUES (1)`,
    changes: [
      `INSERT INTO main SELECT g, 'new' FROM generate_series(90, 110) g ON CONFLICT (id) DO UPDATE SET note = excluded.note || main.n, n = main.n + 1`,
      `INSERT INTO main SELECT g, 'none' FROM generate_series(100, 120) g ON CONFLICT DO NOTHING`,
      `MERGE INTO main USING (SELECT g FROM generate_series(115, 130) g) s ON main.id = s.g WHEN MATCHED AND s.g % 2 = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET n = 5 WHEN NOT MATCHED THEN INSERT VALUES (s.g, 'merged', 1)`,
      `WITH gone AS (DELETE FROM main WHERE id % 10 = 3 RETURNING *), kept AS (INSERT INTO log SELECT id, note FROM gone RETURNING *),
        changed AS (UPDATE main SET n = n + 1 WHERE id % 10 = 4 RETURNING *) INSERT INTO log SELECT id, 'changed' FROM changed UNION ALL SELECT 0, 'end'`,
      copyRows,
      'SELECT * FROM main WHERE id < 50 FOR UPDATE',
      `LOCK TABLE main IN ACCESS EXCLUSIVE MODE; SELECT * FROM log FOR SHARE; UPDATE main SET n = 1 WHERE false`,
      `BEGIN; INSERT INTO main VALUES (500, 'kept'); SAVEPOINT a; UPDATE main SET n = 99; SAVEPOINT b; DELETE FROM main WHERE id < 20; RELEASE b;
        INSERT INTO log VALUES (1, 'lost'); ROLLBACK TO a; INSERT INTO main VALUES (501, 'kept'); SAVEPOINT c; UPDATE main SET note = 'sub' WHERE id = 500; RELEASE c;
        INSERT INTO log VALUES (1, 'kept'); COMMIT`,
      `DO $$ BEGIN FOR i IN 1..80 LOOP BEGIN INSERT INTO main VALUES (2000 + i, 'sub', i); IF i % 3 = 0 THEN RAISE EXCEPTION 'x'; END IF;
        UPDATE main SET n = n + 1 WHERE id = 2000 + i; EXCEPTION WHEN raise_exception THEN INSERT INTO log VALUES (i, 'caught'); END; END LOOP; END $$`,
      `BEGIN; UPDATE main SET n = -1; ROLLBACK`,
      `INSERT INTO unlogged VALUES (2); CREATE TEMPORARY TABLE temporary (id int); INSERT INTO temporary VALUES (1); INSERT INTO fixed SELECT id FROM temporary; DROP TABLE temporary`,
      `CREATE TEMPORARY TABLE fixed (LIKE statements.fixed); INSERT INTO fixed VALUES (77); INSERT INTO statements.fixed VALUES (78); DROP TABLE pg_temp.fixed`,
      `UPDATE main SET n = n + 1 WHERE id = 1; UPDATE main SET n = n + 1 WHERE id = 1; DELETE FROM main WHERE id = 1; INSERT INTO main VALUES (1, 'b'); UPDATE main SET n = 3 WHERE id = 1; DELETE FROM main WHERE id = 1`,
      `SELECT pg_logical_emit_message(true, 'application', 'x'); SELECT pg_logical_emit_message(false, 'application', 'y'); INSERT INTO log VALUES (7, 'message')`,
    ],
  },
  {
    name: 'prepared',
    tables: `CREATE TABLE main (id int PRIMARY KEY, n int); INSERT INTO main SELECT g, 0 FROM generate_series(1, 20) g`,
    changes: [
      `BEGIN; UPDATE main SET n = 1 WHERE id < 5; INSERT INTO main VALUES (100, 1); PREPARE TRANSACTION '${prepared}1'`,
      `UPDATE main SET n = 2 WHERE id = 10; INSERT INTO main VALUES (101, 2)`,
      `BEGIN; UPDATE main SET n = 3 WHERE id > 15; PREPARE TRANSACTION '${prepared}2'`,
      `INSERT INTO main VALUES (102, 4)`,
      `COMMIT PREPARED '${prepared}1'`,
      `UPDATE main SET n = n + 10 WHERE id = 1; DELETE FROM main WHERE id = 100`,
      `ROLLBACK PREPARED '${prepared}2'`,
      `BEGIN; DELETE FROM main WHERE id = 2; SAVEPOINT s; DELETE FROM main; ROLLBACK TO s; PREPARE TRANSACTION '${prepared}3'`,
      `COMMIT PREPARED '${prepared}3'`,
    ],
  },
];
