import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { secretReference } from './definition.ts';
import type { Issues } from './issues.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
type SecretReference = z.output<typeof secretReference>;

/** Reads what a definition refers to; what cannot be read becomes an issue under its path. */
export class FileReader {
  readonly issues: Issues;
  readonly #env: Environment;

  constructor(issues: Issues, env: Environment) {
    this.issues = issues;
    this.#env = env;
  }

  async text(path: string, file: string | undefined): Promise<string | undefined> {
    if (file === undefined) return undefined;
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      this.issues.add(path, `cannot read ${file} (${(error as NodeJS.ErrnoException).code ?? 'failed'})`);
      return undefined;
    }
  }

  async secret(path: string, reference: SecretReference | undefined): Promise<string | undefined> {
    if (reference === undefined) return undefined;
    if ('file' in reference) return (await this.text(path, reference.file))?.replace(/\r?\n$/, '');
    const value = this.#env[reference.env];
    if (value === undefined) this.issues.add(path, `environment variable ${reference.env} is not set`);
    return value;
  }
}
