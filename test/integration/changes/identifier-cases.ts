import type { ChangeCase } from './change-case.ts';

/** Names that need quotes, escapes or both, and names that look alike when they are escaped. */
export const oddNames: readonly string[] = [
  `it's "quoted"`,
  'with.dot',
  'with-dot',
  'with_dot',
  'with dot',
  'Upper',
  'upper',
  'UPPER',
  'back\\slash\\u0041',
  'new\nline\ttab',
  'ünï→cödé 名前 😀',
  `${'é'.repeat(31)}x`,
  `${'é'.repeat(31)}y`,
  `${'"'.repeat(31)}'x`,
  'select',
  '1st',
  'da$h $1 $$',
  '_x2e',
  '_X2E',
  '-2e',
  'percent%20 %s',
  '*',
  'a,b',
  '{"json": null}',
  'constructor',
  '__proto__',
  'null',
  ' ',
  'before',
  'manifest',
];

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Each name is one of a schema, of a table in the schema of the name before it, and of its columns. */
const tables = oddNames.map((name, index) => ({
  name: `${quoted(oddNames.at(index - 1) ?? '')}.${quoted(name)}`,
  key: quoted(name),
  value: quoted(oddNames.at(index - 2) ?? ''),
}));

function creation(): string {
  const columns = oddNames.map((name) => `${quoted(name)} text`).join(', ');
  const odd = oddNames.map((name) => `CREATE SCHEMA ${quoted(name)}`);
  const filled = tables.map(
    ({ name, key, value }) =>
      `CREATE TABLE ${name} (${value} text, ${key} int PRIMARY KEY); INSERT INTO ${name} SELECT 'n', g FROM generate_series(1, 3) g`,
  );
  return [
    ...odd,
    ...filled,
    `CREATE TABLE wide (id int PRIMARY KEY, ${columns})`,
    'INSERT INTO wide (id) VALUES (1), (2)',
    `CREATE TABLE wide_key (${columns}, PRIMARY KEY (${oddNames.map(quoted).join(', ')}))`,
    `INSERT INTO wide_key VALUES (${oddNames.map(() => `'k'`).join(', ')})`,
    'CREATE TABLE wide_loose (LIKE wide)',
    'ALTER TABLE wide_loose REPLICA IDENTITY FULL',
    'INSERT INTO wide_loose (id) VALUES (1), (1)',
  ].join('; ');
}

export const identifierCases: readonly ChangeCase[] = [
  {
    name: 'names',
    schemas: ['names', ...oddNames],
    tables: creation(),
    changes: [
      ...tables.map(
        ({
          name,
          key,
          value,
        }) => `INSERT INTO ${name} VALUES (NULL, 4), ('n', 5); UPDATE ${name} SET ${value} = 'changed' WHERE ${key} < 3;
          UPDATE ${name} SET ${key} = -${key} WHERE ${key} = 2; DELETE FROM ${name} WHERE ${key} = 3`,
      ),
      `TRUNCATE ${tables.map(({ name }) => name).join(', ')}`,
      tables.map(({ name }) => `INSERT INTO ${name} VALUES ('last', 1), (NULL, 2)`).join('; '),
      `UPDATE wide SET ${oddNames.map((name) => `${quoted(name)} = 'set'`).join(', ')}; INSERT INTO wide (id) VALUES (3)`,
      `UPDATE wide_key SET ${oddNames.map((name) => `${quoted(name)} = 'moved'`).join(', ')}`,
      `UPDATE wide_loose SET ${quoted(oddNames[0] ?? '')} = 'one' WHERE ctid = (SELECT ctid FROM wide_loose LIMIT 1)`,
    ],
  },
];
