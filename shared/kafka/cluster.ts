import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../errors.ts';
import { kafkaFailure } from './failure.ts';
import type { TopicPartition } from './interfaces.ts';
import {
  type Broker,
  BrokerClass,
  ConnectionPoolClass,
  type Exchange,
  type KafkajsLogger,
  promptSocketFactory,
} from './kafkajs.ts';
import { type ClusterMetadata, FETCH, metadataExchange, PRODUCE, type TopicMetadata } from './protocol.ts';

export interface ClusterSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: object | null;
  readonly sasl: { readonly mechanism: string; readonly username: string; readonly password: string } | null;
  readonly logger: KafkajsLogger;
}

/** As the leader of a partition: nobody is known to lead it. */
export const NOBODY = -1;

const CONNECT_MILLISECONDS = 5_000;
/** Of requests that name no time of their own: a broker that hangs is found out, and the next one asked. */
const REQUEST_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 50;
const LONGEST_POLL_MILLISECONDS = 500;

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Connections to the brokers of a cluster, and who leads which partition.
 * It repeats nothing by itself, except asking for metadata: who writes decides what a lost answer means.
 */
export class Cluster {
  readonly #settings: ClusterSettings;
  readonly #seeds: readonly Address[];
  readonly #addresses = new Map<number, Address>();
  readonly #connected = new Map<string, Broker>();
  readonly #topics = new Map<string, TopicMetadata>();
  #metadata: ClusterMetadata | null = null;
  #closed = false;

  constructor(settings: ClusterSettings) {
    this.#settings = settings;
    this.#seeds = settings.brokers.map(parseAddress);
  }

  /** @throws SluiceError KAFKA_UNREACHABLE, KAFKA_AUTH_FAILED, KAFKA_TLS_FAILED */
  async connect(): Promise<void> {
    await this.refresh([]);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get clusterId(): string {
    return this.#metadata?.clusterId ?? '';
  }

  get brokerCount(): number {
    return this.#addresses.size;
  }

  get nodeIds(): number[] {
    return [...this.#addresses.keys()];
  }

  /** Metadata as of the last refresh; undefined when the topic was never asked for. */
  topic(topic: string): TopicMetadata | undefined {
    return this.#topics.get(topic);
  }

  /** Node id, or NOBODY. */
  leader({ topic, partition }: TopicPartition): number {
    return this.#topics.get(topic)?.leaders[partition] ?? NOBODY;
  }

  /** In order of first appearance. */
  byLeader<T extends TopicPartition>(partitions: readonly T[]): Map<number, T[]> {
    const groups = new Map<number, T[]>();
    for (const each of partitions) {
      const leader = this.leader(each);
      const group = groups.get(leader);
      if (group) group.push(each);
      else groups.set(leader, [each]);
    }
    return groups;
  }

  /** Asks any broker that answers; null: for all topics. */
  async refresh(topics: readonly string[] | null): Promise<ClusterMetadata> {
    const metadata = await this.#askAny((broker) => send(broker, metadataExchange(topics)));
    this.#metadata = metadata;
    this.#addresses.clear();
    for (const { nodeId, host, port } of metadata.brokers) this.#addresses.set(nodeId, { host, port });
    for (const topic of metadata.topics) this.#topics.set(topic.topic, topic);
    return metadata;
  }

  /** Refreshes until every partition has a leader; says false when `milliseconds` were not enough. */
  async awaitLeaders(partitions: readonly TopicPartition[], milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds;
    for (let pause = POLL_MILLISECONDS; ; pause = Math.min(pause * 1.5, LONGEST_POLL_MILLISECONDS)) {
      const missing = new Set(partitions.filter((each) => this.leader(each) < 0).map(({ topic }) => topic));
      if (missing.size === 0) return true;
      if (performance.now() > deadline) return false;
      await this.refresh([...missing]);
      if (partitions.some((each) => this.leader(each) < 0)) await sleep(pause);
    }
  }

  /** One request to one broker. @throws SluiceError KAFKA_UNREACHABLE and its like; the connection is dropped then. */
  async exchange<T>(nodeId: number, exchange: Exchange<T>): Promise<T> {
    try {
      return await this.onBroker(nodeId, (broker) => send(broker, exchange));
    } catch (error) {
      throw kafkaFailure(error, `broker ${nodeId}`, 'KAFKA_FETCH_FAILED');
    }
  }

  /** What was thrown goes on as it is: its codes say what to do about it. */
  async onBroker<T>(nodeId: number, use: (broker: Broker) => Promise<T>): Promise<T> {
    const address = this.#addresses.get(nodeId);
    if (!address) throw new SluiceError('KAFKA_UNREACHABLE', `broker ${nodeId} is not in the cluster's metadata`);
    return await this.#use(address, use);
  }

  /** One request to the controller. */
  async toController<T>(exchange: Exchange<T>): Promise<T> {
    return await this.onController((broker) => send(broker, exchange));
  }

  async onController<T>(use: (broker: Broker) => Promise<T>): Promise<T> {
    const controller = this.#metadata?.controllerId ?? -1;
    return this.#addresses.has(controller) ? await this.onBroker(controller, use) : await this.#askAny(use);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#connected.keys()].map((key) => this.#drop(key)));
  }

  async #askAny<T>(use: (broker: Broker) => Promise<T>): Promise<T> {
    const known = [...this.#addresses.values(), ...this.#seeds];
    const candidates = known.sort((a, b) => Number(this.#isConnected(b)) - Number(this.#isConnected(a)));
    let failure: SluiceError | undefined;
    for (const address of candidates) {
      try {
        return await this.#use(address, use);
      } catch (error) {
        failure = kafkaFailure(error, `broker ${addressKey(address)}`, 'KAFKA_UNREACHABLE');
        if (failure.code !== 'KAFKA_UNREACHABLE' || this.#closed) throw failure;
      }
    }
    throw failure ?? new SluiceError('KAFKA_UNREACHABLE', 'no broker is named');
  }

  async #use<T>(address: Address, use: (broker: Broker) => Promise<T>): Promise<T> {
    const key = addressKey(address);
    try {
      return await use(await this.#connect(address, key));
    } catch (error) {
      // What a broker answered is for the caller to class; without an answer the connection is of no use.
      const unreachable = kafkaFailure(error, `broker ${key}`, 'INTERNAL').code === 'KAFKA_UNREACHABLE';
      if (unreachable || !this.#connected.get(key)?.isConnected()) await this.#drop(key);
      throw error;
    }
  }

  #isConnected(address: Address): boolean {
    return this.#connected.get(addressKey(address))?.isConnected() ?? false;
  }

  async #connect(address: Address, key: string): Promise<Broker> {
    if (this.#closed) throw new SluiceError('KAFKA_UNREACHABLE', 'the connection was closed');
    const known = this.#connected.get(key);
    if (known) {
      if (!known.isConnected()) await known.connect();
      return known;
    }
    const broker = new BrokerClass({
      connectionPool: new ConnectionPoolClass({
        ...address,
        ssl: this.#settings.ssl,
        // kafkajs keeps its authenticator in the object.
        sasl: this.#settings.sasl && { ...this.#settings.sasl },
        clientId: this.#settings.clientId,
        logger: this.#settings.logger,
        socketFactory: promptSocketFactory(),
        connectionTimeout: CONNECT_MILLISECONDS,
        requestTimeout: REQUEST_MILLISECONDS,
        enforceRequestTimeout: true,
        maxInFlightRequests: null,
        reauthenticationThreshold: CONNECT_MILLISECONDS * 2,
      }),
      logger: this.#settings.logger,
      nodeId: null,
      authenticationTimeout: CONNECT_MILLISECONDS * 2,
      allowAutoTopicCreation: false,
    });
    this.#connected.set(key, broker);
    await broker.connect();
    checkVersion(broker, key);
    return broker;
  }

  /** Whoever still waits for an answer of this broker gets an error at once. */
  async #drop(key: string): Promise<void> {
    const broker = this.#connected.get(key);
    if (!broker) return;
    this.#connected.delete(key);
    const closed = new SluiceError('KAFKA_UNREACHABLE', `the connection to broker ${key} was closed`);
    for (const connection of broker.connectionPool.pool) connection.rejectRequests(closed);
    await broker.disconnect();
  }
}

async function send<T>(broker: Broker, exchange: Exchange<T>): Promise<T> {
  return (await broker.connectionPool.send(exchange as Exchange<unknown>)) as T;
}

function checkVersion(broker: Broker, key: string): void {
  for (const api of [PRODUCE, FETCH]) {
    if ((broker.versions?.[api.key]?.maxVersion ?? 0) < api.version) {
      throw new SluiceError('CONFIG_INVALID', `broker ${key} is older than Kafka 2.3, which Sluice needs at least`);
    }
  }
}

function addressKey({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** `host:port`, `[::1]:port`. */
function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}
