// Builds `dist`, from which sluice.js starts as long as the sources stay as they are: in half the time.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { digestFile, isBuilt, sourcesDigest } from './built.js';

if (!isBuilt()) {
  const digest = sourcesDigest();
  rmSync(digestFile, { force: true });
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const projects = ['services/control', 'services/capture', 'services/sink-postgres'];
  execFileSync(process.execPath, [tsc, '-b', ...projects], { stdio: 'inherit' });
  // Sources that changed meanwhile may be in it or not.
  if (sourcesDigest() === digest) writeFileSync(digestFile, digest);
}
