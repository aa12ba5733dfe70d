import { SluiceError } from '../errors.ts';
import type { Cluster } from './cluster.ts';
import type { TopicPartition } from './interfaces.ts';

const SETTING = 'socket.request.max.bytes';
const BROKER_RESOURCE = 4;
/** No broker is set to less. */
const ALWAYS_ALLOWED = 32 * 1024 * 1024;
/** Of a produce request beside its batches. */
const REQUEST_OVERHEAD = 64 * 1024;

/**
 * A broker closes the connection on a request that is too large, without a word; tried again it would be so for ever.
 * So before a large one the broker is asked for its limit.
 */
export class RequestLimit {
  readonly #cluster: Cluster;
  /** By node id; Infinity where the broker does not tell. */
  readonly #limits = new Map<number, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** @throws SluiceError KAFKA_RECORD_TOO_LARGE */
  async check(leader: number, batches: readonly (TopicPartition & { readonly batch: Buffer })[]): Promise<void> {
    const bytes = batches.reduce((sum, { batch }) => sum + batch.length, REQUEST_OVERHEAD);
    if (bytes <= ALWAYS_ALLOWED) return;
    const limit = this.#limits.get(leader) ?? (await this.#ask(leader));
    this.#limits.set(leader, limit);
    if (bytes <= limit) return;
    const [{ topic, partition } = { topic: '', partition: 0 }] = batches;
    throw new SluiceError(
      'KAFKA_RECORD_TOO_LARGE',
      `a record for ${topic} needs a request of ${bytes} bytes, compressed as far as it can be; ${SETTING} of broker ${leader} is ${limit}`,
      {
        context: { topic, partition, bytes },
        remedy: `Raise ${SETTING} of the brokers above ${bytes}, then start the task again.`,
      },
    );
  }

  async #ask(leader: number): Promise<number> {
    const resource = { type: BROKER_RESOURCE, name: String(leader), configNames: [SETTING] };
    const described = await this.#cluster
      .onBroker(leader, (broker) => broker.describeConfigs({ resources: [resource] }))
      .catch(() => null);
    return Number(described?.resources[0]?.configEntries[0]?.configValue ?? Number.POSITIVE_INFINITY);
  }
}
