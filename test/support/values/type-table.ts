import type { Row, TestDatabase } from '../database.ts';
import { builtInSamples, withoutInput } from './built-in-types.ts';
import { extensionSamples, extensionsSql, extensionsWithoutInput } from './extension-types.ts';
import {
  namedObjectsSql,
  requiredSamples,
  since11Samples,
  since11Sql,
  since14Samples,
  userSamples,
  userTypesSql,
} from './user-types.ts';

/** A type as SQL writes it, with edge values as input text. */
export interface SampledType {
  readonly type: string;
  readonly samples: readonly string[];
  /** Between the elements of its arrays. */
  readonly delimiter: string;
  /** It refuses NULL. */
  readonly required: boolean;
  /** Neither an array nor a composite, nor a domain over one. */
  readonly scalar: boolean;
}

/** Types with a length or precision, which an explicit cast would cut to in silence. */
const modified: readonly Pick<SampledType, 'type' | 'samples'>[] = [
  { type: 'char(5)', samples: ['', 'x', 'ü€𝄞', '    5'] },
  { type: 'varchar(5)', samples: ['', 'x    ', '\\N'] },
  { type: 'bit(3)', samples: ['010', '111'] },
  { type: 'varbit(5)', samples: ['', '01010'] },
  { type: 'numeric(10,3)', samples: ['1.500', '-9999999.999', 'NaN'] },
  { type: 'time(3)', samples: ['24:00:00', '23:59:59.999'] },
  { type: 'interval day to second(2)', samples: ['1 day 02:03:04.05', '-00:00:00.01'] },
  { type: 'timestamptz(0)', samples: ['infinity', '2020-06-01 00:00:00+00'] },
];

const informationSchema: Readonly<Record<string, readonly string[]>> = {
  'information_schema.cardinal_number': ['0', '2147483647'],
  'information_schema.character_data': ['', '\\N'],
  'information_schema.sql_identifier': ['', 'ü"'],
  'information_schema.time_stamp': ['2020-01-01 00:00:00.12+00', 'infinity'],
  'information_schema.yes_or_no': ['YES', 'NO'],
};

/** Makes the types of users and of extensions at the source, the extensions at the destination too. */
export async function createTypes(source: TestDatabase, destination: TestDatabase): Promise<void> {
  for (const database of [source, destination]) await database.query(`${extensionsSql}; ${namedObjectsSql}`);
  await source.query(userTypesSql);
  if ((await versionOf(source)) >= 110_000) await source.query(since11Sql);
}

/**
 * Every type of the source that a column can have, with its samples.
 * @throws Error naming a type that has none, so that no type of a server is left out unseen
 */
export async function sampledTypes(source: TestDatabase): Promise<SampledType[]> {
  const version = await versionOf(source);
  const known: Readonly<Record<string, readonly string[]>> = {
    ...Object.fromEntries(Object.entries(builtInSamples).map(([name, samples]) => [`pg_catalog.${name}`, samples])),
    ...extensionSamples,
    ...userSamples,
    ...requiredSamples,
    ...(version >= 110_000 ? since11Samples : {}),
    ...(version >= 140_000 ? since14Samples : {}),
    ...informationSchema,
  };
  const unwritable = new Set([...[...withoutInput].map((name) => `pg_catalog.${name}`), ...extensionsWithoutInput]);
  const rows = await source.query(
    `SELECT n.nspname AS schema, t.typname AS name, format('%I.%I', n.nspname, t.typname) AS type,
       t.typdelim AS delimiter, t.typnotnull AS required,
       b.typtype <> 'c' AND NOT (b.typelem <> 0 AND b.typlen = -1) AS scalar
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
     WHERE n.nspname IN ('pg_catalog', 'information_schema', 'kinds', 'ext') AND t.typtype IN ('b', 'c', 'd', 'e', 'm', 'r')
       AND NOT (t.typelem <> 0 AND t.typlen = -1 AND t.typname LIKE '\\_%')
       AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
     ORDER BY 1, 2`,
  );
  const nameOf = (row: Row) => `${row['schema']}.${row['name']}`;
  const left = rows.map(nameOf).filter((name) => !unwritable.has(name) && !(name in known));
  if (left.length > 0) throw new Error(`no samples of ${left.join(', ')}`);
  const types = rows.flatMap((row): SampledType[] => {
    const samples = known[nameOf(row)];
    if (!samples) return [];
    const [required, scalar] = [row['required'] === 't', row['scalar'] === 't'];
    return [{ type: row['type']!, samples, delimiter: row['delimiter']!, required, scalar }];
  });
  return [...types, ...modified.map((type) => ({ ...type, delimiter: ',', required: false, scalar: true }))];
}

async function versionOf(database: TestDatabase): Promise<number> {
  return Number(await database.value('SHOW server_version_num'));
}
