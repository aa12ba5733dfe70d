import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, SluiceError } from '../errors.ts';
import { type Cluster, NOBODY } from './cluster.ts';
import { codeFailure, isLeaderCode, KafkaCode, kafkaFailure } from './failure.ts';
import type { TopicAdmin, TopicPartition, TopicSpec } from './interfaces.ts';
import type { Broker } from './kafkajs.ts';
import { partitionName } from './partition-name.ts';
import { byTopic, LATEST, listOffsetsExchange, setTopicConfigExchange } from './protocol.ts';
import {
  allowsLess,
  checkTopic,
  type FoundTopic,
  newTopicConfiguration,
  SIZE_SETTING,
  type TopicSettings,
  topicConfiguration,
} from './topic-settings.ts';

const REQUEST_TOPICS = 100;
/** Below the time that an answer may take. */
const CREATE_MILLISECONDS = 8_000;
const USABLE_MILLISECONDS = 60_000;
const PAUSE_MILLISECONDS = 50;
const LONGEST_PAUSE_MILLISECONDS = 500;
const TOPIC_RESOURCE = 2;
const MOST_REPLICAS = 3;

export interface AdminSettings {
  /** null: min(3, brokers). */
  readonly replicationFactor: number | null;
  readonly maxMessageBytes: number;
}

export class ClusterAdmin implements TopicAdmin {
  readonly #cluster: Cluster;
  readonly #settings: AdminSettings;

  constructor(cluster: Cluster, settings: AdminSettings) {
    this.#cluster = cluster;
    this.#settings = settings;
  }

  async clusterId(): Promise<string> {
    if (!this.#cluster.clusterId) await this.#cluster.refresh([]);
    return this.#cluster.clusterId;
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<{ created: string[] }> {
    const there = await this.existing(specs.map(({ topic }) => topic));
    const missing = specs.filter(({ topic }) => !there.has(topic));
    const settings = this.#topicSettings();
    for (const part of slices(missing, REQUEST_TOPICS)) await this.#create(part, settings);
    await this.#awaitUsable(specs);
    for (const part of slices(specs, REQUEST_TOPICS)) await this.#verify(part, settings);
    return { created: missing.map(({ topic }) => topic) };
  }

  async existing(topics: readonly string[]): Promise<Set<string>> {
    if (topics.length === 0) return new Set();
    const metadata = await this.#cluster.refresh(topics);
    return new Set(metadata.topics.filter(isThere).map(({ topic }) => topic));
  }

  async ends(partitions: readonly TopicPartition[]): Promise<bigint[]> {
    const ends = new Map<string, bigint>();
    await until(async () => {
      const waiting = partitions.filter((each) => !ends.has(partitionName(each)));
      await this.#cluster.awaitLeaders(waiting, USABLE_MILLISECONDS);
      for (const [name, end] of await this.#served(waiting)) ends.set(name, end);
      if (ends.size === partitions.length) return true;
      await this.#cluster.refresh([...new Set(waiting.map(({ topic }) => topic))]);
      return false;
    }, 'leaders of topics do not serve them');
    return partitions.map((each) => ends.get(partitionName(each))!);
  }

  async withPrefix(prefix: string): Promise<string[]> {
    const { topics } = await this.#cluster.refresh(null);
    return topics
      .map(({ topic }) => topic)
      .filter((topic) => topic.startsWith(prefix))
      .sort();
  }

  /** Returns when no broker that was asked knows them any more. Topics that are not there are passed over. */
  async deleteTopics(topics: readonly string[]): Promise<void> {
    const there = [...(await this.existing(topics))];
    for (const part of slices(there, REQUEST_TOPICS)) {
      await this.#administer('deleting topics', async (broker) => {
        try {
          await broker.deleteTopics({ topics: part, timeout: CREATE_MILLISECONDS });
        } catch (error) {
          // Somebody else deleted one of them a moment before; the others are deleted all the same.
          if (!failuresOf(error).every(({ code }) => code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)) throw error;
        }
      });
    }
    await until(async () => (await this.existing(there)).size === 0, 'topics are not deleted');
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  #topicSettings(): TopicSettings {
    const { replicationFactor, maxMessageBytes } = this.#settings;
    const standard = Math.min(MOST_REPLICAS, this.#cluster.brokerCount);
    return { replicationFactor: replicationFactor ?? standard, maxMessageBytes };
  }

  async #create(specs: readonly TopicSpec[], settings: TopicSettings): Promise<void> {
    const configEntries = Object.entries(newTopicConfiguration(settings)).map(([name, value]) => ({ name, value }));
    const topics = specs.map(({ topic, partitions }) => {
      return { topic, numPartitions: partitions, replicationFactor: settings.replicationFactor, configEntries };
    });
    await this.#administer('creating topics', async (broker) => {
      try {
        await broker.createTopics({ topics, timeout: CREATE_MILLISECONDS });
      } catch (error) {
        if (!failuresOf(error).every(({ code }) => code === KafkaCode.TOPIC_ALREADY_EXISTS)) throw error;
      }
    });
  }

  /** Every leader serves its partitions: what was created can be written at once. */
  async #awaitUsable(specs: readonly TopicSpec[]): Promise<void> {
    const partitions = specs.flatMap(({ topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    );
    let waiting = partitions;
    await until(async () => {
      await this.#cluster.awaitLeaders(
        waiting.filter((each) => this.#exists(each)),
        USABLE_MILLISECONDS,
      );
      const existing = waiting.filter((each) => this.#exists(each));
      const served = await this.#served(existing);
      waiting = existing.filter((each) => !served.has(partitionName(each)));
      if (waiting.length > 0) await this.#cluster.refresh([...new Set(waiting.map(({ topic }) => topic))]);
      return waiting.length === 0;
    }, 'leaders of topics do not serve them');
  }

  /** A partition beyond those that the topic has is a finding of #verify. */
  #exists({ topic, partition }: TopicPartition): boolean {
    const known = this.#cluster.topic(topic);
    return !known || known.leaders.length === 0 || partition < known.leaders.length;
  }

  /** Asks each leader once: the ends of the logs that are served now, by name of the partition. */
  async #served(partitions: readonly TopicPartition[]): Promise<Map<string, bigint>> {
    const byLeader = this.#cluster.byLeader(partitions);
    byLeader.delete(NOBODY);
    const answers = [...byLeader].map(([leader, led]) => this.#servedBy(leader, led));
    return new Map((await Promise.all(answers)).flat());
  }

  async #servedBy(leader: number, partitions: readonly TopicPartition[]): Promise<(readonly [string, bigint])[]> {
    const request = byTopic(
      partitions,
      ({ topic }) => topic,
      ({ partition }) => partition,
    );
    const answer = await this.#cluster.exchange(leader, listOffsetsExchange(request, LATEST)).catch(gone);
    return (answer?.topics ?? []).flatMap(({ topic, partitions: answers }) =>
      answers.flatMap(({ partition, code, offset }) => {
        if (code === 0) return [[partitionName({ topic, partition }), offset] as const];
        if (isLeaderCode(code) || code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) return [];
        throw codeFailure(code, `${topic}/${partition}`, 'KAFKA_FETCH_FAILED', { topic, partition });
      }),
    );
  }

  async #verify(specs: readonly TopicSpec[], settings: TopicSettings): Promise<void> {
    let found = await this.#describe(specs);
    const raised: string[] = [];
    for (const { topic } of specs) {
      if (allowsLess(found.get(topic)!, settings) && (await this.#raise(topic, settings))) raised.push(topic);
    }
    if (raised.length > 0) {
      await until(async () => {
        found = await this.#describe(specs);
        return raised.every((topic) => !allowsLess(found.get(topic)!, settings));
      }, `${SIZE_SETTING} of topics is not raised`);
    }
    for (const { topic, partitions, orMore } of specs) {
      const there = found.get(topic)!;
      checkTopic(there, orMore ? Math.max(partitions, there.partitions) : partitions, settings);
    }
  }

  async #describe(specs: readonly TopicSpec[]): Promise<Map<string, FoundTopic>> {
    const configNames = Object.keys(topicConfiguration(this.#topicSettings()));
    const resources = specs.map(({ topic }) => ({ type: TOPIC_RESOURCE, name: topic, configNames }));
    const { resources: described } = await this.#administer('describing topics', (broker) =>
      broker.describeConfigs({ resources }),
    );
    const entries = new Map(described.map((each) => [each.resourceName, each.configEntries]));
    return new Map(
      specs.map(({ topic }) => {
        const configuration = new Map(
          entries.get(topic)?.map(({ configName, configValue }) => [configName, configValue]),
        );
        return [topic, { ...this.#found(topic), configuration }];
      }),
    );
  }

  /** False where the account may not alter topics: then it is a finding. */
  async #raise(topic: string, { maxMessageBytes }: TopicSettings): Promise<boolean> {
    const request = setTopicConfigExchange(topic, SIZE_SETTING, String(maxMessageBytes));
    return (await this.#cluster.toController(request)).code === 0;
  }

  #found(topic: string): Omit<FoundTopic, 'configuration'> {
    const metadata = this.#cluster.topic(topic);
    return { topic, partitions: metadata?.leaders.length ?? 0, replicas: metadata?.replicas ?? 0 };
  }

  /** Repeats what the controller could not do in time, or was asked of the wrong broker: each request may be repeated. */
  async #administer<T>(what: string, use: (broker: Broker) => Promise<T>): Promise<T> {
    const deadline = performance.now() + USABLE_MILLISECONDS;
    for (;;) {
      try {
        return await this.#cluster.onController(use);
      } catch (error) {
        const passes = failuresOf(error).every(({ code }) => passing.has(code as number));
        if (!passes) throw kafkaFailure(error, what, 'KAFKA_TOPIC_SETTINGS');
        if (performance.now() > deadline) throw kafkaFailure(error, what, 'KAFKA_UNREACHABLE');
        await sleep(PAUSE_MILLISECONDS);
        await this.#cluster.refresh([]);
      }
    }
  }
}

/** A leader that cannot be reached serves nothing: another one will lead, or it comes back. */
function gone(error: unknown): null {
  if (isSluiceError(error, 'KAFKA_UNREACHABLE')) return null;
  throw error;
}

/** REQUEST_TIMED_OUT, TOPIC_ALREADY_EXISTS (of a request that was repeated, or of somebody else), NOT_CONTROLLER. */
const passing: ReadonlySet<number> = new Set([7, KafkaCode.TOPIC_ALREADY_EXISTS, 41]);

/** kafkajs gathers the failures of a request's topics. */
function failuresOf(error: unknown): readonly { code?: unknown }[] {
  const { errors } = error as { errors?: readonly { code?: unknown }[] };
  return errors ?? [error as { code?: unknown }];
}

function isThere({ code, leaders }: { code: number; leaders: readonly number[] }): boolean {
  if (code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) return false;
  if (code !== 0 && !isLeaderCode(code)) throw codeFailure(code, 'asking for topics', 'KAFKA_FETCH_FAILED');
  return code !== 0 || leaders.length > 0;
}

async function until(holds: () => Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = performance.now() + USABLE_MILLISECONDS;
  // To look at thousands of topics is work for the brokers, who make them meanwhile.
  for (let pause = PAUSE_MILLISECONDS; !(await holds()); pause = Math.min(pause * 1.5, LONGEST_PAUSE_MILLISECONDS)) {
    if (performance.now() > deadline)
      throw new SluiceError('KAFKA_FETCH_FAILED', `${otherwise} within ${USABLE_MILLISECONDS} ms`);
    await sleep(pause);
  }
}

function slices<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}
