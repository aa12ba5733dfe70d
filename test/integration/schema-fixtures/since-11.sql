CREATE INDEX part_v ON app.part (v);
ALTER TABLE app.part ADD CONSTRAINT part_pk PRIMARY KEY (id, ts);
ALTER TABLE app.part ADD CONSTRAINT part_fk FOREIGN KEY (id) REFERENCES app.ids (id);
CREATE INDEX ON app.customers (email) INCLUDE (n);
COMMENT ON INDEX app.part_v IS 'pv';
