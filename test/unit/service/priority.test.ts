import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkoutDir } from '../../../deploy/local/paths.ts';

/** Of a process of its own, which cannot take it back. */
function priorityWith(types: string): number {
  const module = join(checkoutDir, 'shared', 'service', 'priority.ts');
  const script = `
    const { giveWay } = await import(${JSON.stringify(module)});
    giveWay({ types: new Set(${JSON.stringify(types.split(','))}) });
    console.log((await import('node:os')).getPriority());`;
  const options = { cwd: checkoutDir, encoding: 'utf8' } as const;
  return Number(execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], options));
}

test('a task without a stream gives way, one with a stream does not', () => {
  const own = priorityWith('schema,full,incremental');
  expect(priorityWith('schema,full')).toBe(Math.max(own, 10));
  expect(priorityWith('incremental')).toBe(own);
});
