import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ignoredLines, ignoredStatements, normalise } from '../support/pg-dump.ts';

test('the comparison of dumps takes away what the documentation lists, and no more', async () => {
  expect(ignoredLines.map(String)).toEqual(['/^--/', '/^SET /', '/^\\\\(un)?restrict /']);
  expect(ignoredStatements.map(String)).toEqual(['/^(CREATE|ALTER|COMMENT ON) (PUBLICATION|SUBSCRIPTION) /']);
  const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const list = /only:\n\n((?:- .*\n)+)/.exec(page.slice(page.indexOf('## How schemas are compared')))?.[1];
  expect(list?.trim().split('\n')).toHaveLength(ignoredLines.length + 1);
});

test('what stays: comments of objects and all other statements, whole', () => {
  const dump = [
    '-- a comment of pg_dump',
    'SET row_security = off;',
    '\\restrict abc',
    "COMMENT ON TABLE a IS 'x';",
    'CREATE PUBLICATION p',
    "    WITH (publish = 'insert');",
    "SELECT pg_catalog.set_config('search_path', '', false);",
    'CREATE SUBSCRIPTION s;',
    'CREATE TABLE a ();',
  ];
  expect(normalise(dump.join('\n')).split('\n')).toEqual([dump[3], dump[6], dump[8]]);
});
