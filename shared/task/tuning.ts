import { type TaskDefinition, tuningDefinition } from './definition.ts';
import type { Issues } from './issues.ts';
import type { Environment } from './references.ts';
import type { Tuning } from './task.ts';

/** Settings as `tuning` in JSON; they win over the definition's, so that tests can run every process under others. */
export const TUNING_VARIABLE = 'SLUICE_TUNING';

export function resolveTuning(given: TaskDefinition['tuning'], env: Environment, issues: Issues): Tuning {
  const parsed = tuningDefinition.safeParse({ ...given, ...override(env, issues) }, { reportInput: true });
  if (parsed.success) return parsed.data;
  issues.addZod(parsed.error);
  return tuningDefinition.parse({});
}

function override(env: Environment, issues: Issues): object {
  try {
    const value: unknown = JSON.parse(env[TUNING_VARIABLE] || '{}');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  issues.add(TUNING_VARIABLE, 'not a JSON object');
  return {};
}
