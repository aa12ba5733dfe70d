import type { Random } from './random.ts';

interface Relation {
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly columns: readonly string[];
  /** Functions that take its row type: they may be used by what the relation gets later, in a circle. */
  readonly rowFunctions: string[];
}

/**
 * Statements that make objects that depend on each other, from a seed: views on views, functions on row types, tables
 * on functions, and circles of them. Names sort in another order than they are created in.
 */
export function randomSchema(random: Random, count: number, version: number): string[] {
  const schema = new RandomSchema(random, version);
  for (let i = 0; i < count; i += 1) schema.grow();
  return schema.statements;
}

class RandomSchema {
  readonly statements = ['CREATE SCHEMA zz', 'CREATE SCHEMA "A a"', 'CREATE SCHEMA mm'];
  readonly #random: Random;
  readonly #version: number;
  readonly #types: [string, ...string[]] = ['int', 'text', 'numeric(8,2)', 'timestamptz', 'int[]'];
  readonly #scalars: [string, ...string[]] = ['1', 'length(current_user)'];
  readonly #relations: Relation[] = [];
  #names = 0;

  constructor(random: Random, version: number) {
    this.#random = random;
    this.#version = version;
    this.#table();
  }

  grow(): void {
    this.#random.weighted<() => void>([
      [2, () => this.#enum()],
      [2, () => this.#composite()],
      [2, () => this.#domain()],
      [4, () => this.#table()],
      [1, () => this.#child()],
      [4, () => this.#view()],
      [1, () => this.#materializedView()],
      [4, () => this.#rowFunction()],
      [3, () => this.#scalarFunction()],
      [3, () => this.#circle()],
      [3, () => this.#onTable()],
      [1, () => this.#foreignKey()],
      [2, () => this.#comment()],
    ])();
  }

  #name(): string {
    this.#names += 1;
    const schema = this.#random.pick(['zz', '"A a"', 'mm']);
    const letter = String.fromCharCode(97 + this.#random.integer(0, 26));
    return `${schema}."${letter} ${this.#names}"`;
  }

  #say(sql: string): void {
    this.statements.push(sql);
  }

  #type(): string {
    return this.#random.pick(this.#types);
  }

  #relation(kind?: Relation['kind']): Relation {
    const found = this.#relations.filter((relation) => kind === undefined || relation.kind === kind);
    return this.#random.pick(found as [Relation, ...Relation[]]);
  }

  #enum(): void {
    const name = this.#name();
    this.#say(`CREATE TYPE ${name} AS ENUM ('a', 'b''c')`);
    this.#types.push(name, `${name}[]`);
  }

  #composite(): void {
    const name = this.#name();
    this.#say(`CREATE TYPE ${name} AS (x ${this.#type()}, "Y y" ${this.#type()})`);
    this.#types.push(name);
  }

  #domain(): void {
    const name = this.#name();
    this.#say(`CREATE DOMAIN ${name} AS text DEFAULT 'd' CHECK (length(VALUE) > 0)`);
    const check = this.#name();
    this.#say(`CREATE FUNCTION ${check}(${name}) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'`);
    // A value of a domain whose check takes the domain cannot be made: no column is of it.
    if (this.#random.chance(0.5)) this.#say(`ALTER DOMAIN ${name} ADD CHECK (${check}(VALUE))`);
    else this.#types.push(name);
  }

  #table(): void {
    const name = this.#name();
    const columns = ['id', 'b', 'c'];
    const value = this.#random.pick(this.#scalars);
    this.#say(
      `CREATE TABLE ${name} (id int DEFAULT ${value} PRIMARY KEY, b ${this.#type()}, c ${this.#type()},
        CHECK (id > ${this.#random.pick(this.#scalars)} OR id = 0))`,
    );
    this.#add({ name, kind: 'table', columns });
  }

  #child(): void {
    const parent = this.#relation('table');
    const name = this.#name();
    const column = `own_${this.#names}`;
    this.#say(`CREATE TABLE ${name} (${column} ${this.#type()}) INHERITS (${parent.name})`);
    if (this.#random.chance(0.5)) this.#say(`ALTER TABLE ${parent.name} ADD COLUMN late_${this.#names} int`);
    this.#add({ name, kind: 'table', columns: [...parent.columns, column] });
  }

  #view(): void {
    const [left, right] = [this.#relation(), this.#relation()];
    const name = this.#name();
    const scalar = this.#random.pick(this.#scalars);
    this.#say(
      `CREATE VIEW ${name} (id, b, "C c") AS SELECT l.id, r.${right.columns[1]}, ${scalar} AS c
        FROM ${left.name} l LEFT JOIN ${right.name} r ON l.id = r.id`,
    );
    this.#add({ name, kind: 'view', columns: ['id', 'b', '"C c"'] });
  }

  #materializedView(): void {
    const below = this.#relation();
    const name = this.#name();
    const data = this.#random.chance(0.7) ? '' : ' WITH NO DATA';
    this.#say(`CREATE MATERIALIZED VIEW ${name} AS SELECT id, count(*) AS n FROM ${below.name} GROUP BY id${data}`);
    this.#say(`CREATE INDEX ON ${name} (n, id DESC)`);
  }

  #add(relation: Omit<Relation, 'rowFunctions'>): void {
    this.#relations.push({ ...relation, rowFunctions: [] });
    this.#types.push(relation.name);
  }

  #rowFunction(): void {
    const relation = this.#relation();
    const name = this.#name();
    const ofRows = `SELECT coalesce(($1).id, 0)`;
    const body =
      this.#version >= 140_000 && this.#random.chance(0.5) ? `RETURN coalesce(($1).id, 0)` : `AS '${ofRows}'`;
    this.#say(`CREATE FUNCTION ${name}(${relation.name}) RETURNS int LANGUAGE sql IMMUTABLE ${body}`);
    relation.rowFunctions.push(name);
    this.#scalars.push(`${name}(NULL)`);
  }

  #scalarFunction(): void {
    const name = this.#name();
    const relation = this.#relation();
    const known = this.#version >= 140_000 && this.#random.chance(0.6);
    const query = `SELECT count(*)::int + ${this.#random.pick(this.#scalars)} FROM ${relation.name}`;
    const body = known ? `BEGIN ATOMIC ${query}; END` : `AS $$ ${query} $$`;
    this.#say(`CREATE FUNCTION ${name}(a ${this.#type()} DEFAULT NULL) RETURNS int LANGUAGE sql ${body}`);
    this.#scalars.push(`${name}()`);
  }

  /** What was made for a relation becomes a part of it. */
  #circle(): void {
    const relation = this.#relation();
    const [used] = relation.rowFunctions;
    if (used === undefined) {
      this.#rowFunction();
      return;
    }
    const { name } = relation;
    if (relation.kind === 'table') {
      this.#random.pick([
        () => this.#say(`ALTER TABLE ${name} ADD CHECK (${used}(${name.split('.')[1]}.*) >= 0) NO INHERIT`),
        () => this.#say(`ALTER TABLE ${name} ALTER id SET DEFAULT ${used}(NULL)`),
        () => this.#say(`CREATE INDEX ON ${name} ((${used}(${name.split('.')[1]}.*)), id)`),
      ])();
    }
  }

  #onTable(): void {
    const { name } = this.#relation('table');
    const [own, fire] = [this.#name().split('.')[1], this.#name()];
    const scalar = this.#random.pick(this.#scalars);
    const state = this.#random.pick(['DISABLE', 'ENABLE ALWAYS', 'ENABLE REPLICA', 'ENABLE']);
    this.#random.pick([
      () => {
        this.#say(`CREATE FUNCTION ${fire}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`);
        this.#say(
          `CREATE TRIGGER ${own} BEFORE UPDATE ON ${name} FOR EACH ROW WHEN (NEW.id > ${scalar}) EXECUTE PROCEDURE ${fire}()`,
        );
        this.#say(`ALTER TABLE ${name} ${state} TRIGGER ${own}`);
      },
      () =>
        this.#say(
          `CREATE POLICY ${own} ON ${name} USING (id > ${scalar}) WITH CHECK (id IN (SELECT id FROM ${this.#relation().name}))`,
        ),
      () => this.#say(`CREATE RULE ${own} AS ON DELETE TO ${name} WHERE old.id > ${scalar} DO INSTEAD NOTHING`),
      () => this.#say(`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`),
      () => this.#say(`CREATE INDEX ON ${name} (id) WHERE id > 5`),
      () => this.#say(`CREATE STATISTICS ${fire} ON id, b FROM ${name}`),
    ])();
  }

  #foreignKey(): void {
    const [from, to] = [this.#relation('table'), this.#relations.find(({ kind }) => kind === 'table')];
    this.#say(`ALTER TABLE ${from.name} ADD FOREIGN KEY (id) REFERENCES ${to?.name} ON DELETE CASCADE NOT VALID`);
  }

  #comment(): void {
    const { name, kind } = this.#relation();
    this.#say(`COMMENT ON ${kind} ${name} IS 'it''s ${this.#names}'`);
    this.#say(`COMMENT ON COLUMN ${name}.id IS 'id'`);
  }
}
