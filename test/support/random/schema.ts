import pg from 'pg';
import type { Random } from '../random.ts';
import { type ColumnType, columnTypes, largeText, typeDefinitions } from './types.ts';

const quote = pg.escapeIdentifier;

/** A key column; `fresh` gives a new value of it, as SQL over a bigint. */
interface KeyPart {
  readonly name: string;
  readonly sql: string;
  /** null: the server makes it (identity). */
  readonly fresh: ((number: string) => string) | null;
}

/** A column that an insert may give: a value as text, or NULL. */
export interface WrittenColumn {
  /** Quoted. */
  readonly name: string;
  readonly type: ColumnType;
}

/** A foreign key; the value is any key of the other table. */
export interface Reference {
  readonly name: string;
  readonly table: string;
  readonly key: string;
}

/** What the workload knows of a table. Names are quoted. */
export interface GeneratedTable {
  readonly name: string;
  readonly key: readonly KeyPart[];
  readonly columns: readonly WrittenColumn[];
  readonly references: readonly Reference[];
  /** A bigint with a unique constraint of its own. */
  readonly unique: string | null;
  /** A smallint by whose value rows move between partitions. */
  readonly region: string | null;
}

export interface GeneratedSchema {
  readonly sql: string;
  readonly tables: readonly GeneratedTable[];
}

/** Every transaction of the workload writes what it did: `changes` row events beside this one, where that is known. */
export const ledger = {
  table: 'public.ledger',
  sql: `CREATE TABLE public.ledger (
    client int, number bigint, changes int, written timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (client, number))`,
};

const oddNames = [
  'plain',
  'Case',
  'case',
  'select',
  'with.dot',
  'with "quotes"',
  "with 'single'",
  ' spaces ',
  'ünïcödé漢字',
  'x'.repeat(60),
  'back\\slash',
  '%s $1 :x',
  'tab\there',
  'ctid2',
  '__debezium',
  'before',
  'source',
  '1digit',
] as const;

const kinds = [
  [6, 'plain'],
  [2, 'partitioned'],
  [1, 'inherited'],
] as const;

const keyKinds: readonly (readonly [number, (random: Random) => KeyPart[]])[] = [
  [3, () => [part('bigint', (n) => n)]],
  [2, () => [part('integer', (n) => `(${n} % 2000000000)::int`)]],
  [2, () => [part('text', (n) => `'k "\\ü ' || ${n}`)]],
  [1, () => [part('text COLLATE "C"', (n) => `${n} || repeat(' ', (${n} % 3)::int)`)]],
  [2, () => [part('uuid', (n) => `md5((${n})::text)::uuid`)]],
  [1, () => [part('numeric', (n) => `(${n}) + 0.50`)]],
  [1, () => [part('timestamptz', (n) => `'2020-01-01 00:00:00+00'::timestamptz + (${n}) * interval '1 microsecond'`)]],
  [1, () => [part('bytea', (n) => `decode(md5((${n})::text), 'hex')`)]],
  [2, () => [part('integer', (n) => `(${n} % 7)::int`), part('text', (n) => `'part ' || ${n}`, 'the "key"')]],
  [2, () => [{ name: '"id"', sql: 'bigint GENERATED ALWAYS AS IDENTITY', fresh: null }]],
  [1, () => [{ name: '"id"', sql: 'bigserial', fresh: null }]],
  [2, () => []],
];

function part(sql: string, fresh: (number: string) => string, name = 'key'): KeyPart {
  return { name: quote(name), sql, fresh };
}

/** Tables, types and rows that follow from the seed alone. */
export function generateSchema(random: Random): GeneratedSchema {
  const schemas = [quote(random.pick(oddNames)), 'public'] as const;
  const types = columnTypes(schemas[0]);
  const statements = [`CREATE SCHEMA ${schemas[0]}`, ledger.sql];
  const tables: GeneratedTable[] = [];
  const count = random.integer(2, 13);
  for (let index = 0; index < count; index++) {
    const name = `${random.pick(schemas)}.${quote(cut(`${index} ${random.pick(oddNames)}`))}`;
    const maker = new TableMaker(random, { name, types, earlier: tables });
    const { table, sql } = maker.make(random.weighted(kinds));
    tables.push(table);
    statements.push(...sql);
  }
  statements.splice(1, 0, typeDefinitions(schemas[0]));
  return { sql: `${statements.join(';\n')};`, tables };
}

/** To 63 bytes, as the server would. */
function cut(name: string): string {
  return Buffer.from(name)
    .subarray(0, 63)
    .toString()
    .replace(/\uFFFD/g, '');
}

interface Given {
  readonly name: string;
  readonly types: readonly ColumnType[];
  readonly earlier: readonly GeneratedTable[];
}

class TableMaker {
  readonly #random: Random;
  readonly #given: Given;
  readonly #columns: WrittenColumn[] = [];
  readonly #references: Reference[] = [];
  readonly #definitions: string[] = [];
  readonly #after: string[] = [];

  constructor(random: Random, given: Given) {
    this.#random = random;
    this.#given = given;
  }

  make(kind: 'plain' | 'partitioned' | 'inherited'): { table: GeneratedTable; sql: string[] } {
    const random = this.#random;
    const { name } = this.#given;
    const key = this.#key(kind);
    const region = kind === 'partitioned' ? quote('region') : null;
    if (region) this.#definitions.push(`${region} smallint NOT NULL`);
    this.#definitions.push(...key.map((each) => `${each.name} ${each.sql}${each.fresh ? ' NOT NULL' : ''}`));
    this.#givenColumns();
    const unique = kind === 'plain' && random.chance(0.5) ? quote('Unique') : null;
    if (unique) {
      const deferrable = random.pick(['', ' DEFERRABLE INITIALLY DEFERRED', ' DEFERRABLE']);
      this.#definitions.push(`${unique} bigint UNIQUE${key.length > 0 || deferrable === '' ? deferrable : ''}`);
    }
    if (kind === 'plain') this.#foreignKeys(key);
    const identity = this.#keyConstraint(kind, { key, region });
    const create = `CREATE TABLE ${name} (${this.#definitions.join(', ')})`;
    const relations = this.#relations(kind, { create, key, region });
    const full = relations.leaves.map((leaf) => `ALTER TABLE ${leaf} REPLICA IDENTITY FULL`);
    const sql = [...relations.sql, ...this.#after, ...(identity === 'full' ? full : [])];
    const table = { name, key, columns: this.#columns, references: this.#references, unique, region };
    return { table, sql };
  }

  #key(kind: string): readonly KeyPart[] {
    for (;;) {
      const key = this.#random.weighted(keyKinds)(this.#random);
      // Partitions are hashed by a key that the workload gives.
      if (kind !== 'partitioned' || key[0]?.fresh) return key;
    }
  }

  #givenColumns(): void {
    const random = this.#random;
    const count = random.integer(1, 9);
    for (let index = 0; index < count; index++) {
      const name = quote(cut(`${index}${random.pick(oddNames)}`));
      const type = random.chance(0.15) ? largeText : random.pick(this.#given.types as [ColumnType, ...ColumnType[]]);
      const external = type === largeText && random.chance(0.5) ? ' STORAGE EXTERNAL' : '';
      this.#definitions.push(`${name} ${type.sql}${external}`);
      this.#columns.push({ name, type });
    }
    const integer = { sql: 'integer', value: (from: Random) => String(from.integer(-1e6, 1e6)) };
    this.#columns.push({ name: '"n"', type: integer });
    this.#definitions.push('"n" integer DEFAULT 7 CHECK ("n" IS NULL OR "n" > -2000000)');
    if (random.chance(0.4))
      this.#definitions.push('"made" bigint GENERATED ALWAYS AS (coalesce("n", 0)::bigint * 3) STORED');
    if (random.chance(0.3)) this.#definitions.push('"changed" timestamptz DEFAULT clock_timestamp()');
    if (random.chance(0.2)) this.#definitions.push('"counted" int GENERATED BY DEFAULT AS IDENTITY');
  }

  /** To itself, to an earlier table, or round a circle of two. */
  #foreignKeys(key: readonly KeyPart[]): void {
    const random = this.#random;
    const [own] = key;
    const rule = () =>
      random.pick(['', ' ON DELETE CASCADE', ' ON DELETE SET NULL', ' ON DELETE CASCADE ON UPDATE CASCADE']) +
      random.pick(['', ' DEFERRABLE INITIALLY DEFERRED', ' DEFERRABLE']);
    if (key.length === 1 && own && random.chance(0.25)) {
      this.#refer({ name: '"self"', table: this.#given.name, key: own.name }, own, rule());
    }
    const parents = this.#given.earlier.filter((table) => table.key.length === 1 && table.region === null);
    const [first, ...others] = parents;
    if (!first || random.chance(0.5)) return;
    const parent = random.pick([first, ...others]);
    const parentKey = parent.key[0] as KeyPart;
    this.#refer({ name: '"parent"', table: parent.name, key: parentKey.name }, parentKey, rule());
    if (key.length !== 1 || !own || random.chance(0.5)) return;
    const back = quote(`back ${this.#given.earlier.length}`);
    this.#after.push(
      `ALTER TABLE ${parent.name} ADD ${back} ${typeOf(own)} REFERENCES ${this.#given.name} (${own.name}) DEFERRABLE INITIALLY DEFERRED`,
    );
    this.#after.push(`CREATE INDEX ON ${parent.name} (${back})`);
    (parent.references as Reference[]).push({ name: back, table: this.#given.name, key: own.name });
  }

  #refer(reference: Reference, key: KeyPart, rule: string): void {
    const { name, table } = reference;
    this.#after.push(
      `ALTER TABLE ${this.#given.name} ADD ${name} ${typeOf(key)} REFERENCES ${table} (${key.name})${rule}`,
    );
    this.#after.push(`CREATE INDEX ON ${this.#given.name} (${name})`);
    this.#references.push(reference);
  }

  /** Primary key, or none; then the identity is an index, or the whole row. */
  #keyConstraint(
    kind: string,
    { key, region }: { readonly key: readonly KeyPart[]; readonly region: string | null },
  ): 'default' | 'full' {
    const random = this.#random;
    if (key.length === 0) return 'full';
    const names = [...(region ? [region] : []), ...key.map((each) => each.name)].join(', ');
    const referred = this.#references.some(({ table }) => table === this.#given.name) || this.#after.length > 0;
    if (kind === 'plain' && !referred && random.chance(0.15)) {
      const index = quote(`identity ${this.#given.earlier.length}`);
      const { name } = this.#given;
      this.#after.push(`CREATE UNIQUE INDEX ${index} ON ${name} (${names})`);
      this.#after.push(`ALTER TABLE ${name} REPLICA IDENTITY USING INDEX ${index}`);
      // An index alone can be referred to as well.
      return 'default';
    }
    this.#definitions.push(`PRIMARY KEY (${names})`);
    return random.chance(0.2) ? 'full' : 'default';
  }

  #relations(
    kind: string,
    {
      create,
      key,
      region,
    }: { readonly create: string; readonly key: readonly KeyPart[]; readonly region: string | null },
  ): { sql: string[]; leaves: string[] } {
    const { name } = this.#given;
    const leaf = (suffix: string) => {
      const [schema = '', table = ''] = name.split('."');
      return `${schema}."${cut(table.slice(0, 50).replace(/"+$/, ''))} ${suffix}"`;
    };
    if (kind === 'inherited') {
      const child = leaf('child');
      const names = key.map((each) => each.name).join(', ');
      const more = `"more" text${names ? `, PRIMARY KEY (${names})` : ''}`;
      return { sql: [create, `CREATE TABLE ${child} (${more}) INHERITS (${name})`], leaves: [name, child] };
    }
    if (kind === 'plain' || !region) return { sql: [create], leaves: [name] };
    const hashed = key[0]?.name;
    const leaves = [leaf('a'), leaf('b0'), leaf('b1'), leaf('rest')];
    const [a, b0, b1, rest] = leaves;
    const sql = [
      `${create} PARTITION BY LIST (${region})`,
      `CREATE TABLE ${a} PARTITION OF ${name} FOR VALUES IN (0, 1)`,
      `CREATE TABLE ${leaf('b')} PARTITION OF ${name} FOR VALUES IN (2, 3) PARTITION BY HASH (${hashed})`,
      `CREATE TABLE ${b0} PARTITION OF ${leaf('b')} FOR VALUES WITH (MODULUS 2, REMAINDER 0)`,
      `CREATE TABLE ${b1} PARTITION OF ${leaf('b')} FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
      `CREATE TABLE ${rest} PARTITION OF ${name} DEFAULT`,
    ];
    return { sql, leaves };
  }
}

/** Without what makes its values. */
function typeOf({ sql }: KeyPart): string {
  return sql === 'bigserial' ? 'bigint' : sql.replace(' GENERATED ALWAYS AS IDENTITY', '');
}
