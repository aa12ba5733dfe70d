import { Cleanup } from './cleanup.ts';
import { ownKafka, ownPostgres, ownRegistry } from './own-servers.ts';

/** What a test needs to know of the servers, wherever they run. */
export interface ServerAddresses {
  /** URLs of a superuser. */
  readonly source: string;
  readonly destination: string;
  readonly brokers: readonly string[];
  /** Base URL of the Confluent API. */
  readonly registry: string;
}

export interface RunningServers {
  readonly addresses: ServerAddresses;
  stop(): Promise<void>;
}

/** The servers that all tests share: those of TEST_*, and local ones for what these do not name. */
export async function startSharedServers(env: NodeJS.ProcessEnv = process.env): Promise<RunningServers> {
  const cleanup = new Cleanup();
  const started = async <Server extends AsyncDisposable>(starting: Promise<Server>): Promise<Server> => {
    const server = await starting;
    cleanup.defer(() => server[Symbol.asyncDispose]());
    return server;
  };
  const starting = [
    env['TEST_SOURCE_URL'] ?? started(ownPostgres()).then(({ url }) => url),
    env['TEST_DESTINATION_URL'] ?? started(ownPostgres()).then(({ url }) => url),
    env['TEST_BROKERS']?.split(',') ?? started(ownKafka()).then(({ bootstrap }) => bootstrap),
    env['TEST_REGISTRY_URL'] ?? started(ownRegistry()).then(({ url }) => url),
  ] as const;
  try {
    const [source, destination, brokers, registry] = await Promise.all(starting);
    const addresses = { source, destination, brokers, registry };
    return { addresses, stop: () => cleanup[Symbol.asyncDispose]() };
  } catch (error) {
    await Promise.allSettled(starting);
    await cleanup[Symbol.asyncDispose]();
    throw error;
  }
}
