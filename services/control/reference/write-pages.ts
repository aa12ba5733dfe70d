import { writeFileSync } from 'node:fs';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';

/** Writes the pages of docs/ that are made of the code: node --import tsx services/control/reference/write-pages.ts */
const docs = new URL('../../../docs/', import.meta.url);
writeFileSync(new URL('configuration.md', docs), configurationPage());
writeFileSync(new URL('errors.md', docs), errorsPage());
