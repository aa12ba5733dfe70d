// What a producer got an answer for is read in full, whatever happens to the brokers; nothing hangs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSluiceError } from '../../shared/errors.ts';
import type { Kafka, Written } from '../../shared/kafka/interfaces.ts';
import { openKafka } from '../../shared/kafka/kafka.ts';
import { segmentCrc } from '../../shared/kafka/segment-crc.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaSettings } from '../support/kafka-settings.ts';
import { type Own, ownKafka } from '../support/own-servers.ts';

type Servers = Own<Awaited<ReturnType<typeof ownKafka>>>;

const topic = 'faults.public.t';
const PARTITIONS = 6;

let servers: Servers;
let kafka: Kafka;

beforeAll(async () => {
  servers = await ownKafka(3);
  kafka = openKafka(kafkaSettings(servers.bootstrap), 'test');
  const admin = await kafka.admin();
  await admin.ensureTopics([{ topic, partitions: PARTITIONS }]);
  await admin.close();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

/** Writes until told to stop, with a new producer after every failure, as capture does. */
class Writer {
  readonly written: Written[] = [];
  readonly failures: string[] = [];
  #running: Promise<void>;
  #stopped = false;

  constructor() {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#attempt();
      } catch (error) {
        if (!isSluiceError(error)) throw error;
        this.failures.push(error.code);
      }
    }
  }

  async #attempt(): Promise<void> {
    const producer = await kafka.producer();
    try {
      while (!this.#stopped) {
        const records = Array.from({ length: 300 }, (_, index) => {
          return {
            topic,
            partition: index % PARTITIONS,
            key: String(index),
            value: Buffer.alloc(50, this.written.length),
          };
        });
        const floors = { floor: (_: string, partition: number) => this.#end(partition) };
        this.written.push(...(await producer.send(records, floors)));
      }
    } finally {
      await producer.close();
    }
  }

  #end(partition: number): bigint {
    const last = this.written.findLast((segment) => segment.partition === partition);
    return last ? last.offset + BigInt(last.count) : 0n;
  }
}

/** Reads what is written, as it is written. */
async function follow(writer: Writer, until: () => boolean): Promise<number> {
  const fetcher = await kafka.fetcher();
  let read = 0;
  try {
    while (!until() || read < writer.written.length) {
      const segments = writer.written.slice(read, read + 60);
      if (segments.length === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const logs = await fetcher.ranges(segments, AbortSignal.timeout(90_000));
      for (const [index, segment] of segments.entries()) expect(segmentCrc(logs[index]!)).toBe(segment.crc32c);
      read += segments.length;
    }
    return read;
  } finally {
    await fetcher.close();
  }
}

describe('with writing and reading under way', { timeout: 240_000 }, () => {
  test('a broker is killed, and comes back', async () => {
    const writer = new Writer();
    let done = false;
    const reading = follow(writer, () => done);
    await eventually(() => writer.written.length > 30);
    const victim = servers.brokers[1]!;
    await victim.kill('SIGKILL');
    await eventually(() => writer.failures.length > 0, { what: 'a failed send' });
    const atFailure = writer.written.length;
    await eventually(() => writer.written.length > atFailure + 30, { what: 'writing without the broker' });
    await victim.restart();
    const atRestart = writer.written.length;
    await eventually(() => writer.written.length > atRestart + 30);
    await writer.stop();
    done = true;
    expect(await reading).toBe(writer.written.length);
  });

  test('a broker hangs: nothing that uses it hangs for good', async () => {
    const writer = new Writer();
    let done = false;
    const reading = follow(writer, () => done);
    await eventually(() => writer.written.length > 30);
    const victim = servers.brokers[2]!;
    await victim.kill('SIGSTOP');
    await eventually(() => writer.failures.length > 0, { what: 'a failed send', timeoutMs: 90_000 });
    const atFailure = writer.written.length;
    await eventually(() => writer.written.length > atFailure + 30, { what: 'writing without the broker' });
    await victim.kill('SIGCONT');
    await writer.stop();
    done = true;
    expect(await reading).toBe(writer.written.length);
  });
});
