import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers';
import { brokerProperties } from '../../deploy/local/kafka-properties.ts';
import { kafkaAnswers } from '../../deploy/local/kafka-server.ts';
import { freePort } from '../../deploy/local/ports.ts';
import { postgresAnswers } from '../../deploy/local/postgres-server.ts';
import { registryAnswers } from '../../deploy/local/registry-server.ts';
import type { Cleanup } from './cleanup.ts';
import { eventually } from './eventually.ts';
import { carefreePostgres } from './own-servers.ts';

/** The shared servers in containers of the official images. */

export async function dockerAnswers(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

export async function containerPostgres(cleanup: Cleanup): Promise<string> {
  const settings = { ...carefreePostgres, wal_level: 'logical', max_replication_slots: 50, max_wal_senders: 50 };
  const arguments_ = Object.entries({ ...settings, max_connections: 200, max_prepared_transactions: 20 });
  const container = await start(
    cleanup,
    new GenericContainer('postgres:17')
      .withEnvironment({ POSTGRES_PASSWORD: 'sluice' })
      .withCommand(['postgres', ...arguments_.flatMap(([name, value]) => ['-c', `${name}=${value}`])])
      .withExposedPorts(5432),
  );
  const url = `postgresql://postgres:sluice@${container.getHost()}:${container.getMappedPort(5432)}/postgres`;
  await answering(() => postgresAnswers(url), 'PostgreSQL');
  return url;
}

/** Brokers tell clients their address, so the port must be known before. */
export async function containerKafka(cleanup: Cleanup): Promise<readonly string[]> {
  const port = await freePort();
  const broker = { id: 1, port, controllerPort: 9093 };
  const properties = {
    ...brokerProperties(broker, [broker], '/var/lib/kafka/data'),
    listeners: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://127.0.0.1:9093`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  };
  const environment = Object.entries(properties).map(([name, value]) => [
    `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
    String(value),
  ]);
  await start(
    cleanup,
    new GenericContainer('apache/kafka:4.1.1')
      .withEnvironment(Object.fromEntries(environment) as Record<string, string>)
      .withExposedPorts({ container: port, host: port }),
  );
  await answering(() => kafkaAnswers(port), 'Kafka');
  return [`127.0.0.1:${port}`];
}

export async function containerRegistry(cleanup: Cleanup): Promise<string> {
  const container = await start(
    cleanup,
    new GenericContainer('apicurio/apicurio-registry:3.0.9').withExposedPorts(8080),
  );
  const url = `http://${container.getHost()}:${container.getMappedPort(8080)}/apis/ccompat/v7`;
  await answering(() => registryAnswers(url), 'the schema registry');
  return url;
}

async function start(cleanup: Cleanup, container: GenericContainer): Promise<StartedTestContainer> {
  const started = await container.withWaitStrategy(Wait.forListeningPorts()).withStartupTimeout(180_000).start();
  cleanup.defer(() => started.stop());
  return started;
}

function answering(probe: () => Promise<unknown>, what: string): Promise<unknown> {
  return eventually(probe, { timeoutMs: 120_000, what: `an answer of ${what}` });
}
