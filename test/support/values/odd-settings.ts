import pg from 'pg';
import type { TestDatabase } from '../database.ts';

const { escapeIdentifier, escapeLiteral } = pg;

/** Settings that change how values are written, read or found; of a database, and some of its role in it. */
const ofDatabase: Readonly<Record<string, string>> = {
  DateStyle: 'SQL, DMY',
  TimeZone: 'Asia/Kathmandu',
  extra_float_digits: '-15',
  bytea_output: 'escape',
  IntervalStyle: 'sql_standard',
  search_path: 'names, ext, kinds, pg_catalog',
  xmloption: 'document',
  xmlbinary: 'hex',
  standard_conforming_strings: 'off',
  backslash_quote: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  default_text_search_config: 'pg_catalog.german',
  timezone_abbreviations: 'India',
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  default_transaction_read_only: 'on',
  client_encoding: 'LATIN1',
};

const ofRole: Readonly<Record<string, string>> = {
  DateStyle: 'German, MDY',
  IntervalStyle: 'iso_8601',
  TimeZone: 'America/St_Johns',
  extra_float_digits: '0',
  row_security: 'on',
};

/** For all sessions that begin after it; those of the tests themselves are open already. */
export async function setOddSettings(database: TestDatabase): Promise<void> {
  const name = escapeIdentifier(database.name);
  const role = escapeIdentifier((await database.value('SELECT current_user')) ?? '');
  const set = (settings: Readonly<Record<string, string>>) =>
    Object.entries(settings).map(([setting, value]) => `SET ${setting} = ${listed(setting, value)}`);
  for (const setting of set(ofDatabase)) await database.query(`ALTER DATABASE ${name} ${setting}`);
  for (const setting of set(ofRole)) await database.query(`ALTER ROLE ${role} IN DATABASE ${name} ${setting}`);
}

function listed(setting: string, value: string): string {
  return setting === 'search_path' ? value : escapeLiteral(value);
}
