import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configurationPage } from '../../services/control/reference/configuration-page.ts';
import { codesWithoutArea, errorsPage } from '../../services/control/reference/errors-page.ts';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

describe('pages made of the code', () => {
  it('docs/configuration.md describes every setting as the schema does', () => {
    expect(page('configuration.md')).toBe(configurationPage());
  });

  it('describes each setting', () => {
    const undescribed = configurationPage()
      .split('\n')
      .filter((line) => line.startsWith('| `') && line.endsWith('|  |'));
    expect(undescribed).toEqual([]);
  });

  it('docs/errors.md holds every code of the catalogue', () => {
    expect(codesWithoutArea()).toEqual([]);
    expect(page('errors.md')).toBe(errorsPage());
  });
});
