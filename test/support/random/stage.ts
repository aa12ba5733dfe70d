import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaServer } from '../../../deploy/local/kafka-server.ts';
import type { PostgresServer } from '../../../deploy/local/postgres-server.ts';
import type { RegistryServer } from '../../../deploy/local/registry-server.ts';
import { Cleanup } from '../cleanup.ts';
import { ownKafka, ownPostgres, ownRegistry } from '../own-servers.ts';
import type { ServerAddresses } from '../servers.ts';
import { TcpProxy } from '../tcp-proxy.ts';
import type { Place, ServerFault } from './faults.ts';

interface Servers {
  readonly source: PostgresServer;
  readonly destination: PostgresServer;
  readonly registry: RegistryServer;
  readonly kafka: KafkaServer;
}

/** Servers of a run, each behind a proxy: the test goes to the servers, what is tested through the proxies. */
export class Stage implements AsyncDisposable {
  readonly #cleanup: Cleanup;
  readonly #servers: Servers;
  readonly #proxies: ReadonlyMap<Place, TcpProxy>;

  private constructor(cleanup: Cleanup, servers: Servers, proxies: ReadonlyMap<Place, TcpProxy>) {
    this.#cleanup = cleanup;
    this.#servers = servers;
    this.#proxies = proxies;
  }

  static async open(brokers: 1 | 3, source: Readonly<Record<string, string>>): Promise<Stage> {
    const cleanup = new Cleanup();
    const kept = async <T extends AsyncDisposable>(opening: Promise<T>): Promise<T> => {
      const opened = await opening;
      cleanup.defer(() => opened[Symbol.asyncDispose]());
      return opened;
    };
    try {
      const places = Array.from({ length: brokers }, (_, index): Place => `broker ${index}`);
      const proxies = new Map<Place, TcpProxy>();
      for (const place of ['source', 'destination', 'registry', ...places] as const) {
        proxies.set(place, await kept(TcpProxy.open()));
      }
      const advertised = places.map((place) => proxies.get(place)?.port ?? 0);
      const starting = [
        kept(ownPostgres({ settings: source })),
        kept(ownPostgres()),
        kept(ownRegistry()),
        kept(ownKafka(brokers, advertised)),
      ] as const;
      await Promise.allSettled(starting);
      const [from, to, registry, kafka] = await Promise.all(starting);
      const behind = (place: Place, port: number) => Object.assign(proxies.get(place) as TcpProxy, { target: port });
      behind('source', from.port);
      behind('destination', to.port);
      behind('registry', registry.port);
      for (const [index, broker] of kafka.brokers.entries()) behind(`broker ${index}`, broker.proxiedPort ?? 0);
      return new Stage(cleanup, { source: from, destination: to, registry, kafka }, proxies);
    } catch (error) {
      await cleanup[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the servers themselves. */
  get addresses(): ServerAddresses {
    const { source, destination, kafka, registry } = this.#servers;
    return { source: source.url, destination: destination.url, brokers: kafka.bootstrap, registry: registry.url };
  }

  proxy(place: Place): TcpProxy {
    return this.#proxies.get(place) as TcpProxy;
  }

  get proxies(): readonly TcpProxy[] {
    return [...this.#proxies.values()];
  }

  /** The URL, by way of the proxy. */
  through(place: Place, url: string): string {
    const proxied = new URL(url);
    proxied.port = String(this.proxy(place).port);
    return proxied.toString();
  }

  get proxiedBrokers(): string[] {
    return this.#servers.kafka.brokers.map((_, index) => `127.0.0.1:${this.proxy(`broker ${index}`).port}`);
  }

  /** Takes the server away for a while. Returns when it is back. */
  async strike(place: Place, how: ServerFault, milliseconds: number): Promise<void> {
    const { source, destination, registry, kafka } = this.#servers;
    if (place === 'source' || place === 'destination') {
      const server = place === 'source' ? source : destination;
      if (how === 'kill') await server.kill();
      else await server.stop(how === 'immediate' ? how : 'fast');
      await delay(milliseconds);
      await server.restart();
      return;
    }
    const server = place === 'registry' ? registry : kafka.brokers[Number(place.split(' ')[1])];
    if (!server) throw new Error(`there is no ${place}`);
    if (how === 'hang') await server.kill('SIGSTOP');
    else if (how === 'kill') await server.kill();
    else await server.stop();
    await delay(milliseconds);
    if (how === 'hang') await server.kill('SIGCONT');
    else await server.restart();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup[Symbol.asyncDispose]();
  }
}
