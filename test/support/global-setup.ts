import type { TestProject } from 'vitest/node';
import { type RunningServers, type ServerAddresses, startSharedServers } from './servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    servers: ServerAddresses;
  }
}

interface Shared {
  users: number;
  servers: Promise<RunningServers>;
}

const key = Symbol.for('sluice.test.servers');
const registry = globalThis as { [key]?: Shared };

/** Each project with servers calls this in an own copy of this module: the first starts them, the last ends them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  registry[key] ??= { users: 0, servers: startSharedServers() };
  const shared = registry[key];
  shared.users++;
  const servers = await shared.servers;
  project.provide('servers', servers.addresses);
  return async () => {
    if (--shared.users > 0) return;
    delete registry[key];
    await servers.stop();
  };
}
