// Builds what sluice.js starts from as long as the sources stay as they are: few files load in half the time of many.
import { rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { builtDir, digestFile, isBuilt, root, sourcesDigest } from './built.js';

/** What CommonJS packages load is found from the file that they ended in. */
const requireForCommonJs = `import { createRequire as requireFrom } from 'node:module';
const require = requireFrom(import.meta.url);`;

if (!isBuilt()) {
  const digest = sourcesDigest();
  rmSync(builtDir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: ['services/control/cli.ts', 'services/capture/main.ts', 'services/sink-postgres/main.ts'],
    outbase: root,
    outdir: builtDir,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    // Patched when it is loaded (shared/kafka/kafkajs.ts); native, or an optional one that is not there.
    external: ['kafkajs', '@node-rs/crc32', 'pg-native', 'tsx', 'esbuild'],
    // Nothing here uses it; pg would load all of fetch to see by it whether this is Cloudflare.
    define: { Response: 'undefined' },
    banner: { js: requireForCommonJs },
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
  });
  // Sources that changed meanwhile may be in it or not.
  if (sourcesDigest() === digest) writeFileSync(digestFile, digest);
}
