import pg from 'pg';
import type { TestDatabase } from '../database.ts';
import type { SampledType } from './type-table.ts';

const { escapeLiteral } = pg;
/** Types in one key: an index has at most 32 columns and 2,700 bytes a row. */
const KEY_TYPES = 10;
const LONGEST_IN_KEY = 200;

/** A table that tests write to, and how they change all of its values; `copy`, `update`, `remove`, in this order. */
export interface ValueTable {
  readonly name: string;
  readonly copy: string;
  readonly update: string;
  readonly remove: string;
}

/**
 * Tables that hold the samples of each type, and arrays of them, in one row after the other:
 * with a key, under REPLICA IDENTITY FULL with a key and without one, without what only a row literal can carry,
 * and tables of which the types are the primary key or the index of the replica identity.
 */
export async function createValueTables(source: TestDatabase, types: readonly SampledType[]): Promise<ValueTable[]> {
  const scalars = types.filter(({ scalar }) => scalar);
  const tables = [
    await createWide(source, { name: 'every_keyed', types, arrays: true, keyed: true, full: false }),
    await createWide(source, { name: 'every_full', types, arrays: true, keyed: true, full: true }),
    await createWide(source, { name: 'every_keyless', types, arrays: true, keyed: false, full: true }),
    await createWide(source, { name: 'scalar_keyed', types: scalars, arrays: false, keyed: true, full: false }),
    await createWide(source, { name: 'scalar_keyless', types: scalars, arrays: false, keyed: false, full: true }),
  ];
  const keyable = await keyableTypes(source, types);
  for (let at = 0; at < keyable.length; at += KEY_TYPES) {
    const some = keyable.slice(at, at + KEY_TYPES);
    tables.push(await createKeys(source, some, { name: `keys_${at}`, identity: 'primary' }));
    tables.push(await createKeys(source, some, { name: `index_${at}`, identity: 'index' }));
  }
  return tables;
}

interface Wide {
  readonly name: string;
  readonly types: readonly SampledType[];
  readonly arrays: boolean;
  readonly keyed: boolean;
  readonly full: boolean;
}

/** Between the columns there were others, which are dropped. */
async function createWide(source: TestDatabase, table: Wide): Promise<ValueTable> {
  const { name, types, arrays, keyed, full } = table;
  const columns = types.map(({ type }, i) => `"gone ${i}" int, v${i} ${type}${arrays ? `, a${i} ${type}[]` : ''}`);
  await source.query(`CREATE TABLE ${name} (id int ${keyed ? 'PRIMARY KEY' : ''}, ${columns.join(', ')})`);
  const gone = types.map((_, i) => `DROP COLUMN "gone ${i}"`).join(', ');
  await source.query(`ALTER TABLE ${name} ${gone}`);
  if (full) await source.query(`ALTER TABLE ${name} REPLICA IDENTITY FULL`);
  const rows = mostSamples(types);
  for (let row = 0; row < rows; row++) await source.query(`INSERT INTO ${name} VALUES (${wideRow(table, row)})`);
  await source.query(insertNulls(table, rows));
  const set = types.flatMap((_, i) => (arrays ? [`v${i}`, `a${i}`] : [`v${i}`])).join(', ');
  const from = set.replaceAll(/[av]\d+/g, 's.$&');
  return {
    name,
    copy: `INSERT INTO ${name} (id, ${set}) SELECT id + 1000, ${set} FROM ${name} ORDER BY id`,
    update: `
      UPDATE ${name} AS t SET (${set}) = (SELECT ${from} FROM ${name} s WHERE s.id = t.id + 1001) WHERE id < ${rows - 1};
      UPDATE ${name} SET v0 = v0 WHERE id = 3;
      UPDATE ${name} SET id = id + 5000 WHERE id IN (2, 4, ${rows})`,
    remove: `DELETE FROM ${name} WHERE id % 3 = 0`,
  };
}

function wideRow({ types, arrays }: Wide, row: number): string {
  const values = types.flatMap((type) => {
    const sample = (offset: number) => type.samples[(row + offset) % type.samples.length]!;
    const value = `${escapeLiteral(sample(0))}::${type.type}`;
    return arrays ? [value, arrayOf(type, row % 4, sample)] : [value];
  });
  return [row, ...values].join(', ');
}

/** NULL wherever a type allows it. */
function insertNulls({ name, types }: Wide, id: number): string {
  const required = types.flatMap(({ type, samples, required }, i) =>
    required ? [{ column: `v${i}`, value: `${escapeLiteral(samples[0]!)}::${type}` }] : [],
  );
  const columns = ['id', ...required.map(({ column }) => column)];
  return `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${[id, ...required.map(({ value }) => value)].join(', ')})`;
}

/** One dimension, two with shifted bounds, none, one with a shifted bound; NULL elements where the type allows them. */
function arrayOf({ type, delimiter, required }: SampledType, form: number, sample: (offset: number) => string): string {
  const list = (...items: string[]) => `{${items.join(delimiter)}}`;
  const element = (offset: number) => `"${sample(offset).replace(/["\\]/g, '\\$&')}"`;
  const [first, second, third, none] = [element(0), element(1), element(2), required ? element(0) : 'NULL'];
  const texts = [
    list(first, none, second, third),
    `[-1:0][3:4]=${list(list(first, second), list(third, none))}`,
    '{}',
    `[7:7]=${list(first)}`,
  ];
  return `${escapeLiteral(texts[form] ?? '{}')}::${type}[]`;
}

/** Those that have a btree operator class, with the samples that fit into an index. */
async function keyableTypes(source: TestDatabase, types: readonly SampledType[]): Promise<SampledType[]> {
  const keyable: SampledType[] = [];
  for (const type of types) {
    const samples = type.samples.filter((sample) => sample.length < LONGEST_IN_KEY);
    const able = await source.query(`CREATE TEMP TABLE k (k ${type.type} PRIMARY KEY); DROP TABLE k`).then(
      () => true,
      () => false,
    );
    if (able) keyable.push({ ...type, samples });
  }
  return keyable;
}

interface Keyed {
  readonly name: string;
  readonly identity: 'primary' | 'index';
}

async function createKeys(
  source: TestDatabase,
  types: readonly SampledType[],
  { name, identity }: Keyed,
): Promise<ValueTable> {
  const keys = types.map((_, i) => `k${i}`).join(', ');
  const columns = types.map(({ type }, i) => `k${i} ${type} NOT NULL`).join(', ');
  const primary = identity === 'primary' ? keys : 'id';
  await source.query(`CREATE TABLE ${name} (id int, ${columns}, note text, PRIMARY KEY (${primary}))`);
  if (identity === 'index') {
    const index = `CREATE UNIQUE INDEX ${name}_identity ON ${name} (${keys})`;
    await source.query(`${index}; ALTER TABLE ${name} REPLICA IDENTITY USING INDEX ${name}_identity`);
  }
  for (let row = 0; row < mostSamples(types); row++) {
    const values = types.map(({ type, samples }) => `${escapeLiteral(samples[row % samples.length]!)}::${type}`);
    await source.query(`INSERT INTO ${name} VALUES (${row}, ${values.join(', ')}, 'n') ON CONFLICT DO NOTHING`);
  }
  return {
    name,
    copy: `UPDATE ${name} SET note = 'copied'`,
    // Rows take the key of the next one, which is gone; what is left out is made anew.
    update: `
      CREATE TEMP TABLE before AS SELECT * FROM ${name};
      DELETE FROM ${name} WHERE id % 2 = 1;
      UPDATE ${name} t SET (${keys}, note) = (SELECT ${keys}, 'moved' FROM before b WHERE b.id > t.id ORDER BY b.id LIMIT 1)
        WHERE EXISTS (SELECT FROM before b WHERE b.id = t.id + 1);
      INSERT INTO ${name} SELECT * FROM before ON CONFLICT DO NOTHING;
      DROP TABLE before`,
    remove: `DELETE FROM ${name} WHERE id % 3 = 0`,
  };
}

function mostSamples(types: readonly SampledType[]): number {
  return Math.max(...types.map(({ samples }) => samples.length));
}
