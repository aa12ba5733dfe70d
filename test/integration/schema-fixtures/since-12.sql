CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE app.gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED, t text COLLATE app.ci);
CREATE TABLE app.refpart (id int, ts date, FOREIGN KEY (id, ts) REFERENCES app.part);
