import { SluiceError } from '../errors.ts';

/** What every topic of a task must be like; verified at every start. */
export interface TopicSettings {
  readonly replicationFactor: number;
  readonly maxMessageBytes: number;
}

export const SIZE_SETTING = 'max.message.bytes';

/** Topic configuration by Kafka's names. */
export function topicConfiguration({ replicationFactor, maxMessageBytes }: TopicSettings): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(Math.max(1, replicationFactor - 1)),
    'unclean.leader.election.enable': 'false',
    [SIZE_SETTING]: String(maxMessageBytes),
    'compression.type': 'producer',
  };
}

/**
 * Of a new topic, beside what every one must have. A broker maps two index files of this size for each partition that is
 * written to, and pays for them with its first record: with Kafka's 10 MB a thousand tables cost gigabytes of its memory.
 */
export function newTopicConfiguration(settings: TopicSettings): Record<string, string> {
  return { ...topicConfiguration(settings), 'segment.index.bytes': String(1024 * 1024) };
}

/** The topic was made when the task allowed less: it follows the task's setting, upwards only. */
export function allowsLess({ configuration }: Pick<FoundTopic, 'configuration'>, settings: TopicSettings): boolean {
  return Number(configuration.get(SIZE_SETTING)) < settings.maxMessageBytes;
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
  const tooSmall = allowsLess(found, settings);
  for (const [setting, expected] of Object.entries(topicConfiguration({ ...settings, replicationFactor }))) {
    if (setting === SIZE_SETTING && !tooSmall) continue;
    expect(setting, expected, found.configuration.get(setting) ?? 'unknown');
  }
  if (wrong.length === 0) return;
  throw new SluiceError('KAFKA_TOPIC_SETTINGS', `topic ${found.topic}: ${wrong.join('; ')}`, {
    context: { topic: found.topic },
  });
}
