import { SluiceError } from '../errors.ts';

/** What every topic of a task must be like; verified at every start. */
export interface TopicSettings {
  readonly replicationFactor: number;
  readonly maxMessageBytes: number;
}

/** Topic configuration by Kafka's names. */
export function topicConfiguration({ replicationFactor, maxMessageBytes }: TopicSettings): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(Math.max(1, replicationFactor - 1)),
    'unclean.leader.election.enable': 'false',
    'max.message.bytes': String(maxMessageBytes),
    'compression.type': 'producer',
  };
}

export interface FoundTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicas: number;
  readonly configuration: ReadonlyMap<string, string>;
}

/**
 * More replicas than asked for are fine: the number asked for follows the brokers that are up now.
 * @throws SluiceError KAFKA_TOPIC_SETTINGS naming every setting that differs.
 */
export function checkTopic(found: FoundTopic, partitions: number, settings: TopicSettings): void {
  const wrong: string[] = [];
  const expect = (setting: string, expected: string, actual: string) => {
    if (actual !== expected) wrong.push(`${setting} is ${actual}, expected ${expected}`);
  };
  expect('partitions', String(partitions), String(found.partitions));
  const replicationFactor = Math.max(settings.replicationFactor, found.replicas);
  expect('replication factor', String(replicationFactor), String(found.replicas));
  const limit = Number(found.configuration.get('max.message.bytes'));
  for (const [setting, expected] of Object.entries(topicConfiguration({ ...settings, replicationFactor }))) {
    if (setting === 'max.message.bytes' && limit >= settings.maxMessageBytes) continue;
    expect(setting, expected, found.configuration.get(setting) ?? 'unknown');
  }
  if (wrong.length === 0) return;
  throw new SluiceError('KAFKA_TOPIC_SETTINGS', `topic ${found.topic}: ${wrong.join('; ')}`, {
    context: { topic: found.topic },
  });
}
