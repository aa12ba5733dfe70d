CREATE PROCEDURE act."Do it"(INOUT a int, b text DEFAULT 'x') LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ BEGIN COMMIT; END $$;
COMMENT ON PROCEDURE act."Do it"(int, text) IS 'procedure';
CREATE AGGREGATE zoo.modified(float8) (SFUNC = float8_accum, STYPE = float8[], FINALFUNC = float8_avg, FINALFUNC_MODIFY = READ_WRITE, INITCOND = '{0,0,0}',
  MSFUNC = float8_accum, MINVFUNC = float8_accum, MSTYPE = float8[], MFINALFUNC = float8_avg, MFINALFUNC_MODIFY = SHAREABLE, MINITCOND = '{0,0,0}');
-- Partitions of every kind and level.
CREATE TABLE act.hashed (id int, v text, PRIMARY KEY (id, v)) PARTITION BY HASH (id);
CREATE TABLE act.hashed_0 PARTITION OF act.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (fillfactor = 70);
CREATE TABLE act.hashed_1 PARTITION OF act.hashed (v DEFAULT 'one', CONSTRAINT extra CHECK (v <> 'two')) FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (v, id);
CREATE TABLE act.hashed_1_default PARTITION OF act.hashed_1 DEFAULT;
CREATE TABLE act.hashed_1_a PARTITION OF act.hashed_1 FOR VALUES FROM ('a', MINVALUE) TO ('b', 3);
CREATE UNIQUE INDEX hashed_both ON act.hashed (id, v);
CREATE UNIQUE INDEX hashed_level ON act.hashed_1 (v, id);
CREATE INDEX only_parent ON ONLY act.hashed (v);
CREATE INDEX own_of_leaf ON act.hashed_0 (v) WHERE v IS NOT NULL;
CREATE TABLE act.references_hashed (id int, h int REFERENCES act.a, FOREIGN KEY (h) REFERENCES act.a ON DELETE CASCADE) PARTITION BY LIST (id);
CREATE TABLE act.references_hashed_1 PARTITION OF act.references_hashed FOR VALUES IN (1, NULL);
CREATE TRIGGER on_all AFTER INSERT OR UPDATE ON act.hashed FOR EACH ROW EXECUTE PROCEDURE act.fire();
CREATE TRIGGER on_all_always AFTER DELETE ON act.hashed FOR EACH ROW EXECUTE PROCEDURE act.fire();
ALTER TABLE act.hashed ENABLE ALWAYS TRIGGER on_all_always;
ALTER TABLE act.hashed_0 DISABLE TRIGGER on_all;
CREATE TRIGGER on_leaf BEFORE INSERT ON act.hashed_0 FOR EACH ROW EXECUTE PROCEDURE act.fire();
COMMENT ON INDEX act.hashed_both IS 'partitioned';
COMMENT ON CONSTRAINT hashed_pkey ON act.hashed IS 'pk';
COMMENT ON TABLE act.hashed_0 IS 'leaf';
ALTER INDEX act.users_expression ALTER COLUMN 3 SET STATISTICS 99;
