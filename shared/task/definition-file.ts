import { readFile } from 'node:fs/promises';
import { SluiceError } from '../errors.ts';

/**
 * Reads a task definition, YAML or JSON (which is YAML too), unchecked.
 * @throws SluiceError CONFIG_INVALID when the file cannot be read or is not one mapping.
 */
export async function readDefinitionFile(path: string): Promise<Record<string, unknown>> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(await readText(path), { uniqueKeys: true, prettyErrors: true });
  const [error] = document.errors;
  if (error) throw invalid(path, error.message.split('\n')[0] ?? error.code);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(path, 'not a mapping of settings');
  return value as Record<string, unknown>;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw invalid(path, `cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'failed'})`, cause);
  }
}

function invalid(path: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError('CONFIG_INVALID', `task file ${path}: ${why}`, { context: { path }, cause });
}
