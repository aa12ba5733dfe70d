CREATE DOMAIN zoo.named_not_null AS int CONSTRAINT "never null" NOT NULL CHECK (VALUE > 0);
CREATE TABLE act.identity_partitioned (id int GENERATED ALWAYS AS IDENTITY (START 3), p int) PARTITION BY LIST (p);
CREATE TABLE act.identity_partition PARTITION OF act.identity_partitioned FOR VALUES IN (1);
CREATE COLLATION zoo.built_in (PROVIDER = builtin, LOCALE = 'C.UTF-8');
