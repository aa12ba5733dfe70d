#!/usr/bin/env node
// Starts the command line: as built where that is what the sources say, or all there is; else the sources, through tsx.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isBuilt } from './built.js';

const source = new URL('../services/control/cli.ts', import.meta.url);
const built = new URL('../dist/bundle/services/control/cli.js', import.meta.url);

if (!existsSync(source)) {
  await import(built.href);
} else if (!installed('tsx/package.json')) {
  process.stderr.write('sluice: dependencies are missing; run `npm run setup` first\n');
  process.exit(70);
} else if (isBuilt() && existsSync(built)) {
  await import(built.href);
} else {
  const { register } = await import('tsx/esm/api');
  register();
  await import(source.href);
}

function installed(name) {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
