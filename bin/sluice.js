#!/usr/bin/env node
// Starts the command line: from the sources where they are (through tsx), else from what `tsc -b` built.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const source = new URL('../services/control/cli.ts', import.meta.url);
const built = new URL('../dist/services/control/cli.js', import.meta.url);

if (existsSync(source)) {
  if (!installed('tsx/package.json')) {
    process.stderr.write('sluice: dependencies are missing; run `npm run setup` first\n');
    process.exit(70);
  }
  const { register } = await import('tsx/esm/api');
  register();
  await import(source.href);
} else {
  await import(built.href);
}

function installed(name) {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
