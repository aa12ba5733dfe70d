import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from './context.ts';

/** A task file of settings that have no option, to stand beside the options of the test's task; gives its path. */
export function taskFile(ctx: TestContext, definition: Readonly<Record<string, unknown>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-test-task-'));
  ctx.defer(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'task.json');
  writeFileSync(path, JSON.stringify(definition));
  return path;
}
