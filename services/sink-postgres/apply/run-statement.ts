import type pg from 'pg';
import type { Statement } from './statements.ts';

/** One statement, whose values are few. Rows affected, or found. */
export async function runStatement(client: pg.Client, { text, values }: Statement): Promise<number> {
  const { rowCount } = await client.query({ name: statementName(text), text, values: values as (string | null)[] });
  return rowCount ?? 0;
}

/** Names of prepared statements by their text, the same in all sessions: the driver keeps which of them a session knows. */
const names = new Map<string, string>();

function statementName(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `sluice-${names.size}`;
  names.set(text, name);
  return name;
}
