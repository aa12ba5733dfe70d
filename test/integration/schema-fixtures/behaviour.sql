-- Views, rules, triggers, policies, statistics, and what depends on each other in circles.
CREATE SCHEMA act;
CREATE TABLE act.users (id int PRIMARY KEY, name text NOT NULL, mail text, parent int, age int, secret text DEFAULT 'none');
CREATE TABLE act.log (at timestamptz DEFAULT now(), what text, who name DEFAULT current_user);
CREATE TABLE act.orders (id bigint PRIMARY KEY, user_id int NOT NULL REFERENCES act.users ON DELETE CASCADE, total numeric(10,2), tags text[]);

CREATE VIEW act.adults AS SELECT id, name AS "full name", age FROM act.users WHERE age >= 18 WITH LOCAL CHECK OPTION;
CREATE VIEW act.old WITH (security_barrier) AS SELECT * FROM act.adults WHERE age > 60 WITH CASCADED CHECK OPTION;
CREATE VIEW act.renamed (a, "B b") AS SELECT id, name FROM act.users;
CREATE RECURSIVE VIEW act.tree (id, depth) AS SELECT id, 0 FROM act.users WHERE parent IS NULL UNION ALL SELECT u.id, t.depth + 1 FROM act.users u JOIN tree t ON u.parent = t.id;
CREATE VIEW act.grouped AS SELECT u.id, u.name, u.mail, count(*) FROM act.users u JOIN act.orders o ON o.user_id = u.id GROUP BY u.id;
CREATE VIEW act.on_grouped AS SELECT * FROM act.grouped;
CREATE VIEW act.constants AS VALUES (1, 'a'::text), (2, 'b');
ALTER VIEW act.renamed ALTER COLUMN a SET DEFAULT 42;
COMMENT ON VIEW act.adults IS 'grown up';
COMMENT ON COLUMN act.adults."full name" IS 'a column of a view';
-- A view that shows rows through a function that takes the view.
CREATE VIEW act.looping AS SELECT 1 AS x, 'a'::text COLLATE "C" AS y;
CREATE FUNCTION act.of_looping(act.looping) RETURNS int LANGUAGE sql AS 'SELECT $1.x';
CREATE VIEW act.above AS SELECT act.of_looping(l.*) AS z, l.y FROM act.looping l;
CREATE OR REPLACE VIEW act.looping AS SELECT 2 AS x, 'b'::text COLLATE "C" AS y WHERE EXISTS (SELECT FROM act.users u WHERE u.id = act.of_looping(NULL::act.looping));
-- A table made of the rows of a view that has to wait for a primary key.
CREATE TABLE act.of_view (g act.grouped, h act.renamed[]);

CREATE MATERIALIZED VIEW act.totals WITH (fillfactor = 80) AS SELECT user_id, sum(total) AS sum FROM act.orders GROUP BY user_id;
CREATE UNIQUE INDEX totals_user ON act.totals (user_id);
CREATE MATERIALIZED VIEW act.above_totals AS SELECT max(sum) AS largest FROM act.totals;
CREATE MATERIALIZED VIEW act.empty_one AS SELECT * FROM act.users WITH NO DATA;
CREATE MATERIALIZED VIEW act.waits AS SELECT id, mail, count(*) FROM act.users GROUP BY id;
CREATE VIEW act.through AS SELECT * FROM act.above_totals;
CREATE MATERIALIZED VIEW act."A first" AS SELECT * FROM act.through;
ALTER MATERIALIZED VIEW act.totals CLUSTER ON totals_user;
ALTER MATERIALIZED VIEW act.totals ALTER COLUMN sum SET STATISTICS 77;
ALTER MATERIALIZED VIEW act.totals ALTER COLUMN sum SET STORAGE EXTERNAL;
COMMENT ON MATERIALIZED VIEW act.totals IS 'sums';
COMMENT ON COLUMN act.totals.sum IS 'sum';
COMMENT ON INDEX act.totals_user IS 'of a materialized view';

CREATE RULE protect AS ON DELETE TO act.users WHERE old.id = 1 DO INSTEAD NOTHING;
CREATE RULE "log It" AS ON UPDATE TO act.users DO ALSO (INSERT INTO act.log (what) VALUES (old.name || new.name); NOTIFY act_users);
CREATE RULE on_view AS ON INSERT TO act.renamed DO INSTEAD INSERT INTO act.users (id, name) VALUES (new.a, new."B b") RETURNING id, name;
CREATE RULE off_rule AS ON INSERT TO act.log DO ALSO NOTHING;
CREATE RULE always_rule AS ON INSERT TO act.log DO ALSO NOTHING;
ALTER TABLE act.log DISABLE RULE off_rule;
ALTER TABLE act.log ENABLE ALWAYS RULE always_rule;
COMMENT ON RULE protect ON act.users IS 'rule';

CREATE FUNCTION act.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION act.fire_on_view() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF name, mail ON act.users FOR EACH ROW WHEN (NEW.name IS DISTINCT FROM 'x''y') EXECUTE PROCEDURE act.fire('a', 'b"c', '2');
CREATE TRIGGER after_statement AFTER TRUNCATE ON act.users FOR EACH STATEMENT EXECUTE PROCEDURE act.fire();
CREATE TRIGGER transitions AFTER UPDATE ON act.users REFERENCING OLD TABLE AS o NEW TABLE AS "N n" FOR EACH STATEMENT EXECUTE PROCEDURE act.fire();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR DELETE ON act.users FROM act.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE act.fire();
CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE OR DELETE ON act.adults FOR EACH ROW EXECUTE PROCEDURE act.fire_on_view();
CREATE TRIGGER is_off BEFORE DELETE ON act.users FOR EACH ROW EXECUTE PROCEDURE act.fire();
CREATE TRIGGER is_replica BEFORE DELETE ON act.users FOR EACH ROW EXECUTE PROCEDURE act.fire();
CREATE TRIGGER "Is always" BEFORE DELETE ON act.users FOR EACH ROW EXECUTE PROCEDURE act.fire();
ALTER TABLE act.users DISABLE TRIGGER is_off, ENABLE REPLICA TRIGGER is_replica, ENABLE ALWAYS TRIGGER "Is always";
COMMENT ON TRIGGER before_row ON act.users IS 'trigger';

CREATE FUNCTION act.may_see(act.users) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1.age > 3';
CREATE POLICY everyone ON act.users USING (act.may_see(users.*));
CREATE POLICY "Own rows" ON act.users AS RESTRICTIVE FOR UPDATE TO public USING (name = current_user) WITH CHECK (id IN (SELECT user_id FROM act.orders));
CREATE POLICY writers ON act.orders FOR INSERT TO postgres WITH CHECK (total > 0);
ALTER TABLE act.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE act.orders FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY everyone ON act.users IS 'policy';

CREATE STATISTICS act.pairs (ndistinct, dependencies) ON id, age FROM act.users;
COMMENT ON STATISTICS act.pairs IS 'statistics';
CREATE INDEX users_expression ON act.users ((lower(name)), age, (age + 1));
ALTER TABLE act.users CLUSTER ON users_expression;
ALTER TABLE act.orders ADD CONSTRAINT by_total UNIQUE (total, id) WITH (fillfactor = 60) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE act.orders ADD CONSTRAINT no_overlap EXCLUDE USING gist (int8range(id, id + 1) WITH &&) WITH (fillfactor = 50) WHERE (total > 0) DEFERRABLE;
COMMENT ON INDEX act.orders_pkey IS 'of a key';
COMMENT ON CONSTRAINT by_total ON act.orders IS 'unique';

-- Foreign keys in a circle and in every manner.
CREATE TABLE act.a (id int PRIMARY KEY, b int, c int, UNIQUE (b, c));
CREATE TABLE act.b (id int PRIMARY KEY, a int REFERENCES act.a ON UPDATE SET DEFAULT ON DELETE RESTRICT, x int, y int,
  FOREIGN KEY (x, y) REFERENCES act.a (b, c) MATCH FULL ON UPDATE NO ACTION ON DELETE SET DEFAULT);
ALTER TABLE act.a ADD FOREIGN KEY (b) REFERENCES act.b DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE act.a ADD CONSTRAINT self FOREIGN KEY (c) REFERENCES act.a NOT VALID;

-- Owned sequences, and one that another table's default uses.
CREATE SEQUENCE act.shared OWNED BY act.a.id;
CREATE TABLE act.uses_shared (id int DEFAULT nextval('act.shared'), seq text DEFAULT currval('act.shared'::text::regclass)::text);
CREATE TABLE act.serials (a serial, b smallserial, c bigserial);
COMMENT ON SEQUENCE act.serials_a_seq IS 'owned';
CREATE TABLE act.identities (i int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME act."Own seq" START 5 CACHE 10 CYCLE MAXVALUE 100));
COMMENT ON SEQUENCE act."Own seq" IS 'of an identity';

-- Inheritance of several parents and levels.
CREATE TABLE act.p1 (a int DEFAULT 1, b text NOT NULL, CHECK (a > 0) NO INHERIT);
CREATE TABLE act.p2 (a int DEFAULT 2, c text COLLATE "C", CONSTRAINT c_len CHECK (length(c) < 9));
CREATE TABLE act.both (a int DEFAULT 3, d int) INHERITS (act.p1, act.p2);
CREATE TABLE act.grandchild (CONSTRAINT c_len CHECK (length(c) < 9), e int) INHERITS (act.both);
CREATE TABLE act.grandchild2 () INHERITS (act.both);

CREATE FUNCTION act.on_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER zz_event ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE PROCEDURE act.on_event();
CREATE EVENT TRIGGER yy_event ON sql_drop EXECUTE PROCEDURE act.on_event();
ALTER EVENT TRIGGER yy_event DISABLE;
COMMENT ON EVENT TRIGGER zz_event IS 'event';

CREATE FOREIGN DATA WRAPPER own_wrapper VALIDATOR postgresql_fdw_validator;
CREATE FOREIGN DATA WRAPPER bare_wrapper OPTIONS (debug 'true');
CREATE SERVER bare FOREIGN DATA WRAPPER bare_wrapper OPTIONS (anything 'x');
CREATE SERVER "Far away" TYPE 't' VERSION '1' FOREIGN DATA WRAPPER own_wrapper OPTIONS (host 'h''1', dbname 'd');
CREATE USER MAPPING FOR postgres SERVER "Far away" OPTIONS (user 'u');
CREATE USER MAPPING FOR public SERVER "Far away";
CREATE FOREIGN TABLE act.foreign_one (id int OPTIONS (column_name 'x y') NOT NULL, v text COLLATE "C" DEFAULT 'q', CHECK (id > 0)) SERVER bare OPTIONS (schema_name 's');
CREATE VIEW act.of_foreign AS SELECT * FROM act.foreign_one;
COMMENT ON SERVER "Far away" IS 'server';
COMMENT ON FOREIGN DATA WRAPPER own_wrapper IS 'wrapper';
COMMENT ON FOREIGN TABLE act.foreign_one IS 'foreign';
COMMENT ON COLUMN act.foreign_one.v IS 'v';

CREATE EXTENSION hstore WITH SCHEMA act;
CREATE TABLE act.uses_extension (h act.hstore DEFAULT 'a=>b', hs act.hstore[]);
CREATE INDEX uses_extension_h ON act.uses_extension USING gin (h);
CREATE FUNCTION act.takes_extension(act.hstore) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
ALTER FUNCTION act.takes_extension(act.hstore) DEPENDS ON EXTENSION hstore;
-- Parents that got columns when their children had columns of their own, over two levels and from two parents.
CREATE TABLE act.old_top (a int NOT NULL DEFAULT 1);
CREATE TABLE act.old_side (s text);
CREATE TABLE act.old_middle (b int, s text, CHECK (b > 1)) INHERITS (act.old_top);
CREATE TABLE act.old_bottom (c int) INHERITS (act.old_middle, act.old_side);
ALTER TABLE act.old_top ADD COLUMN d int NOT NULL DEFAULT 4;
ALTER TABLE act.old_middle ADD COLUMN e text COLLATE "C";
ALTER TABLE act.old_top ADD COLUMN f int CHECK (f > 6);
ALTER TABLE act.old_side ADD COLUMN g serial;
ALTER TABLE act.old_bottom ADD COLUMN h int;
ALTER TABLE act.old_bottom ALTER d SET DEFAULT 44;
COMMENT ON COLUMN act.old_bottom.f IS 'late';
CREATE VIEW act.of_old AS SELECT f, h FROM act.old_bottom;
CREATE INDEX old_bottom_f ON act.old_bottom (f);
