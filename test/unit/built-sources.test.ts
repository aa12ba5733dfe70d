import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Built {
  readonly digestFile: string;
  isBuilt(): boolean;
  sourcesDigest(): string;
}

/** A checkout of a few files whose `dist` is that of its sources. */
async function checkout(): Promise<Built & Disposable & { readonly root: string }> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-built-'));
  for (const folder of ['bin', 'dist/bundle', 'shared/kafka', 'services', 'deploy/local']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  cpSync(join(import.meta.dirname, '../../bin/built.js'), join(root, 'bin/built.js'));
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  for (const path of [
    'tsconfig.base.json',
    'package-lock.json',
    'bin/build.js',
    'shared/tsconfig.json',
    'shared/a.ts',
    'shared/kafka/b.ts',
    'services/c.ts',
  ])
    writeFileSync(join(root, path), `// ${path}`);
  const built = (await import(join(root, 'bin/built.js'))) as Built;
  writeFileSync(built.digestFile, built.sourcesDigest());
  return { root, ...built, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

test('what was built serves as long as no source is another', async () => {
  using built = await checkout();
  expect(built.isBuilt()).toBe(true);
  utimesSync(join(built.root, 'shared/a.ts'), new Date(), new Date());
  expect(built.isBuilt()).toBe(true);
});

test.each([
  ['changed', (root: string) => writeFileSync(join(root, 'shared/kafka/b.ts'), '// other')],
  ['changed and given its time back', (root: string) => changeKeepingTimes(join(root, 'shared/kafka/b.ts'))],
  ['added', (root: string) => writeFileSync(join(root, 'services/d.ts'), '')],
  ['removed', (root: string) => rmSync(join(root, 'services/c.ts'))],
  ['renamed', (root: string) => renameSync(join(root, 'shared/a.ts'), join(root, 'shared/d.ts'))],
  ['compiled in another way', (root: string) => writeFileSync(join(root, 'shared/tsconfig.json'), '{}')],
  ['built in another way', (root: string) => writeFileSync(join(root, 'bin/build.js'), '')],
  ['not built', (root: string) => rmSync(join(root, 'dist'), { recursive: true })],
])('a source that was %s is not passed over', async (_, change) => {
  using built = await checkout();
  change(built.root);
  expect(built.isBuilt()).toBe(false);
});

function changeKeepingTimes(path: string): void {
  const { atime, mtime } = statSync(path);
  writeFileSync(path, '// shared/kafka/X.ts');
  utimesSync(path, atime, mtime);
}
