import type { TaskDefinition } from './definition.ts';
import type { FileReader } from './references.ts';
import type { KafkaSettings, KafkaTls, RegistrySettings } from './task.ts';

type KafkaDefinition = NonNullable<TaskDefinition['kafka']>;

/** Undefined after an issue. */
export async function resolveKafka(
  definition: KafkaDefinition | undefined,
  reader: FileReader,
): Promise<KafkaSettings | undefined> {
  if (!definition) {
    reader.issues.add('kafka', 'missing: give kafka.brokers and kafka.registry, or --brokers and --registry');
    return undefined;
  }
  const { brokers, partitions, replicationFactor, maxMessageBytes } = definition;
  return {
    brokers,
    tls: await resolveTls(definition.tls, reader),
    sasl: await resolveSasl(definition.sasl, reader),
    registry: await resolveRegistry(definition.registry, reader),
    partitions,
    replicationFactor: replicationFactor ?? null,
    maxMessageBytes,
  };
}

async function resolveTls(tls: KafkaDefinition['tls'], reader: FileReader): Promise<KafkaTls | null> {
  if (!tls) return null;
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    reader.issues.add('kafka.tls', 'a client certificate and its key belong together: give both');
  }
  return {
    ca: await reader.text('kafka.tls.ca', tls.ca),
    certificate: await reader.text('kafka.tls.certificate', tls.certificate),
    key: await reader.text('kafka.tls.key', tls.key),
    keyPassword: await reader.secret('kafka.tls.keyPassword', tls.keyPassword),
    rejectUnauthorized: tls.rejectUnauthorized,
  };
}

async function resolveSasl(sasl: KafkaDefinition['sasl'], reader: FileReader): Promise<KafkaSettings['sasl']> {
  if (!sasl) return null;
  const password = await reader.secret('kafka.sasl.password', sasl.password);
  return { mechanism: sasl.mechanism, username: sasl.username, password: password ?? '' };
}

async function resolveRegistry(registry: KafkaDefinition['registry'], reader: FileReader): Promise<RegistrySettings> {
  const url = new URL(registry.url);
  const ofUrl = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  url.username = '';
  url.password = '';
  const password = await reader.secret('kafka.registry.password', registry.password);
  if (ofUrl.username !== '' && registry.username !== undefined) {
    reader.issues.add('kafka.registry.username', 'the URL names a user too: give it once');
  }
  return {
    url: url.href.replace(/\/+$/, ''),
    username: registry.username ?? (ofUrl.username || undefined),
    password: password ?? (ofUrl.password || undefined),
    ca: await reader.text('kafka.registry.ca', registry.ca),
  };
}
