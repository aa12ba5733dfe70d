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

/**
 * The servers that all tests share: those of TEST_*; for what these do not name, containers where a Docker engine
 * answers, else local processes. TEST_SERVERS=docker or local decides without asking.
 */
export async function startSharedServers(env: NodeJS.ProcessEnv = process.env): Promise<RunningServers> {
  const cleanup = new Cleanup();
  const start = await startersFor(env['TEST_SERVERS'], cleanup);
  const starting = [
    env['TEST_SOURCE_URL'] ?? start.postgres(),
    env['TEST_DESTINATION_URL'] ?? start.postgres(),
    env['TEST_BROKERS']?.split(',') ?? start.kafka(),
    env['TEST_REGISTRY_URL'] ?? start.registry(),
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

interface Starters {
  postgres(): Promise<string>;
  kafka(): Promise<readonly string[]>;
  registry(): Promise<string>;
}

async function startersFor(choice: string | undefined, cleanup: Cleanup): Promise<Starters> {
  if (choice !== 'local') {
    const containers = await import('./containers.ts');
    if (choice === 'docker' || (await containers.dockerAnswers())) {
      return {
        postgres: () => containers.containerPostgres(cleanup),
        kafka: () => containers.containerKafka(cleanup),
        registry: () => containers.containerRegistry(cleanup),
      };
    }
  }
  const kept = async <Server extends AsyncDisposable>(starting: Promise<Server>): Promise<Server> => {
    const server = await starting;
    cleanup.defer(() => server[Symbol.asyncDispose]());
    return server;
  };
  return {
    postgres: () => kept(ownPostgres()).then(({ url }) => url),
    kafka: () => kept(ownKafka()).then(({ bootstrap }) => bootstrap),
    registry: () => kept(ownRegistry()).then(({ url }) => url),
  };
}
