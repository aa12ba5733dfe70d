ALTER TABLE app.ids ADD CONSTRAINT nnd UNIQUE NULLS NOT DISTINCT (id2);
ALTER TABLE app.customers ALTER jb SET COMPRESSION pglz;
CREATE UNLOGGED SEQUENCE app.unls;
CREATE VIEW act.invoker WITH (security_invoker = true, security_barrier = false) AS SELECT 1 AS x;
CREATE TABLE act.sets_some (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE act.refers_some (a int, b int, FOREIGN KEY (a, b) REFERENCES act.sets_some ON DELETE SET NULL (b));
CREATE UNIQUE INDEX not_distinct ON act.users (mail) NULLS NOT DISTINCT;
