import type { TestDatabase } from '../../support/database.ts';

/** Throws unless both databases hold the same rows in every table of schema public, whatever their order. */
export async function expectEqualContent(source: TestDatabase, destination: TestDatabase): Promise<void> {
  const [expected, found] = await Promise.all([contentOf(source), contentOf(destination)]);
  const tables = new Set([...expected.keys(), ...found.keys()]);
  if (tables.size === 0) throw new Error('there is no table to compare');
  const different = [...tables].filter((table) => expected.get(table) !== found.get(table));
  if (different.length > 0) throw new Error(`${source.name} and ${destination.name} differ in ${different.join(', ')}`);
}

/** By table: number of rows, and the sum of the hashes of their text. */
async function contentOf(database: TestDatabase): Promise<Map<string, string>> {
  const tables = await database.query(
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
  );
  const content = new Map<string, string>();
  for (const { relname } of tables) {
    const sum = `SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM "${relname}" t`;
    content.set(relname ?? '', (await database.value(sum)) ?? '');
  }
  return content;
}
