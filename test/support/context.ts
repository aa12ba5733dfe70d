import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { inject } from 'vitest';
import { Cleanup } from './cleanup.ts';
import { TestDatabase } from './database.ts';
import type { ServerAddresses } from './servers.ts';

/** A source database, a destination database and a task name that no other test has. */
export interface TestContext extends AsyncDisposable {
  /** Fits as name of a task; topics of the task start with it and a dot. */
  readonly task: string;
  readonly source: TestDatabase;
  readonly destination: TestDatabase;
  readonly brokers: readonly string[];
  /** Base URL of the Confluent API. */
  readonly registry: string;
  /** Taken at the end, the last one given first, before databases and topics are removed. */
  defer(step: () => unknown): void;
  /** One more database at the source server. */
  anotherSource(): Promise<TestDatabase>;
  /** One more database at the destination server, for a second sink. */
  anotherDestination(): Promise<TestDatabase>;
}

/**
 * `await using ctx = await testContext()`; servers other than the shared ones for tests that break them.
 * `suffix` ends the names of both databases. At the end slots, databases and topics of the test are removed.
 */
export async function testContext(servers: Partial<ServerAddresses> = {}, suffix = ''): Promise<TestContext> {
  const { source, destination, brokers, registry } = { ...inject('servers'), ...servers };
  const task = `t${Date.now().toString(36)}-${randomBytes(4).toString('hex')}`;
  const name = task.replace('-', '_');
  const cleanup = new Cleanup();
  try {
    if (!servers.brokers) cleanup.defer(() => deleteTopics(brokers, `${task}.`));
    const atSource = { server: source, cleanup, drops: !servers.source };
    const atDestination = { server: destination, cleanup, drops: !servers.destination };
    let sources = 1;
    let destinations = 1;
    return {
      task,
      brokers,
      registry,
      source: await TestDatabase.create({ ...atSource, name: `source_${name}${suffix}` }),
      destination: await TestDatabase.create({ ...atDestination, name: `destination_${name}${suffix}` }),
      defer: (step) => cleanup.defer(step),
      anotherSource: () => TestDatabase.create({ ...atSource, name: `source${++sources}_${name}` }),
      anotherDestination: () => TestDatabase.create({ ...atDestination, name: `destination${++destinations}_${name}` }),
      [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
    };
  } catch (error) {
    await cleanup[Symbol.asyncDispose]();
    throw error;
  }
}

async function deleteTopics(brokers: readonly string[], prefix: string): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  } finally {
    await admin.disconnect();
  }
}
