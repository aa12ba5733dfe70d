// Whether what was built is what the sources say, byte for byte: by times, a copied or unpacked checkout could run old code.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const folders = ['shared', 'services', 'deploy/local'];

export const builtDir = join(root, 'dist', 'bundle');
/** Written by build.js. */
export const digestFile = join(builtDir, 'sources.sha256');

export function isBuilt() {
  return existsSync(digestFile) && readFileSync(digestFile, 'utf8') === sourcesDigest();
}

/** Of all that the built files come from. */
export function sourcesDigest() {
  const hash = createHash('sha256');
  for (const path of ['tsconfig.base.json', 'package-lock.json', 'bin/build.js'])
    hash.update(readFileSync(join(root, path)));
  for (const path of folders.flatMap(sourcesIn).sort())
    hash.update(`\n${path}\n`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

function sourcesIn(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sourcesIn(path);
    return entry.name.endsWith('.ts') || entry.name === 'tsconfig.json' ? [path] : [];
  });
}
