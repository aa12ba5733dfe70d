import type { z } from 'zod';
import { SluiceError } from '../errors.ts';

/** What is wrong with a configuration: collected, so that one error names all of it, each with its path. */
export class Issues {
  readonly #found: { readonly path: string; readonly message: string }[] = [];

  add(path: string, message: string): void {
    this.#found.push({ path, message });
  }

  addZod(error: z.ZodError): void {
    for (const issue of error.issues) this.#addZodIssue(issue, []);
  }

  /** @throws SluiceError CONFIG_INVALID naming every issue, when there is one. */
  throwIfAny(): void {
    const [first, ...more] = this.#found.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    if (first === undefined) return;
    const detail = more.length === 0 ? first : [`${more.length + 1} settings are wrong`, first, ...more].join('\n  ');
    throw new SluiceError('CONFIG_INVALID', detail, {
      context: { paths: this.#found.map(({ path }) => path).join(' ') },
    });
  }

  #addZodIssue(issue: z.core.$ZodIssue, parents: readonly PropertyKey[]): void {
    const path = [...parents, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) this.add(pathText([...path, key]), 'unknown setting');
    } else if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      this.add(pathText(path), 'expected { env: NAME } or { file: PATH }');
    } else if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('undefined')) {
      this.add(pathText(path), 'missing');
    } else {
      this.add(pathText(path), issue.message);
    }
  }
}

/** `tables.include[0]` */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`))
    .join('');
}
