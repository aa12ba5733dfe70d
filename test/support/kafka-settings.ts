import type { KafkaSettings } from '../../shared/task/task.ts';

/** Settings as a task has them when it names nothing but the servers. */
export function kafkaSettings(brokers: readonly string[], changes: Partial<KafkaSettings> = {}): KafkaSettings {
  return {
    brokers,
    tls: null,
    sasl: null,
    registry: { url: 'http://127.0.0.1:1' },
    partitions: 1,
    replicationFactor: null,
    maxMessageBytes: 67_108_864,
    ...changes,
  };
}
