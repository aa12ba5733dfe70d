CREATE INDEX part_v ON app.part (v);
ALTER TABLE app.part ADD CONSTRAINT part_pk PRIMARY KEY (id, ts);
ALTER TABLE app.part ADD CONSTRAINT part_fk FOREIGN KEY (id) REFERENCES app.ids (id);
CREATE INDEX ON app.customers (email) INCLUDE (n);
COMMENT ON INDEX app.part_v IS 'pv';
CREATE DOMAIN zoo.pairs AS zoo.pair CHECK ((VALUE).a > 0);
CREATE DOMAIN zoo.code_lists AS zoo.code[] NOT NULL;
CREATE TABLE zoo.of_domains (a zoo.pairs, b zoo.code_lists DEFAULT '{}');
