CREATE TABLE app.virt (a int CONSTRAINT my_nn NOT NULL, b int GENERATED ALWAYS AS (a + 1) VIRTUAL, c int);
ALTER TABLE app.virt ADD CONSTRAINT later_nn NOT NULL c NOT VALID;
ALTER TABLE app.virt ADD CONSTRAINT ne CHECK (a > 5) NOT ENFORCED;
CREATE TABLE act.temporal (id int4range, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE act.refers_temporal (id int4range, valid daterange, of int4range, UNIQUE (id, valid WITHOUT OVERLAPS),
  FOREIGN KEY (of, PERIOD valid) REFERENCES act.temporal (id, PERIOD valid));
CREATE TABLE act.not_enforced (a int REFERENCES act.users NOT ENFORCED, b int CONSTRAINT b_positive CHECK (b > 0) NOT ENFORCED);
CREATE TABLE act.nn_parent (a int CONSTRAINT nn_a NOT NULL, b int NOT NULL NO INHERIT, c int);
CREATE TABLE act.nn_child (d int CONSTRAINT nn_d NOT NULL) INHERITS (act.nn_parent);
CREATE TABLE act.nn_child2 (CONSTRAINT own_c NOT NULL c) INHERITS (act.nn_parent);
ALTER TABLE act.nn_parent ADD CONSTRAINT nn_c NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT nn_a ON act.nn_parent IS 'a name of its own';
CREATE TABLE act.nn_partitioned (a int CONSTRAINT nn_part NOT NULL, b int CONSTRAINT nn_b NOT NULL) PARTITION BY LIST (a);
CREATE TABLE act.nn_partition PARTITION OF act.nn_partitioned FOR VALUES IN (1);
CREATE TABLE act.virtual_child () INHERITS (app.virt);
CREATE TABLE act.key_not_null (a int CONSTRAINT "key nn" NOT NULL PRIMARY KEY);
