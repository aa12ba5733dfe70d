import type { Logger } from 'pino';
import type { KafkaSettings, KafkaTls } from '../task/task.ts';
import { ClusterAdmin } from './admin.ts';
import { Cluster } from './cluster.ts';
import { DirectFetcher } from './fetcher.ts';
import type { Kafka } from './interfaces.ts';
import { createLogger, type KafkajsLogger } from './kafkajs.ts';
import { DirectProducer } from './producer.ts';

/**
 * Each producer, fetcher and admin opens connections of its own, and fails at once where no broker answers.
 * `log`: what kafkajs has to say, at debug; nowhere when not given.
 */
export function openKafka(settings: KafkaSettings, clientId: string, log?: Pick<Logger, 'debug'>): Kafka {
  const logger = connectionLogger(log);
  const connect = async () => {
    const cluster = new Cluster({
      brokers: settings.brokers,
      clientId,
      ssl: settings.tls && tlsOptions(settings.tls),
      sasl: settings.sasl,
      logger,
    });
    try {
      await cluster.connect();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  };
  return {
    producer: async () => new DirectProducer(await connect(), settings.maxMessageBytes),
    fetcher: async () => new DirectFetcher(await connect()),
    admin: async () => new ClusterAdmin(await connect(), settings),
  };
}

const KAFKAJS_INFO = 4;

function connectionLogger(log: Pick<Logger, 'debug'> | undefined): KafkajsLogger {
  return createLogger({
    level: KAFKAJS_INFO,
    logCreator: () => (entry) => {
      const { message, broker, error, retryCount } = entry.log;
      log?.debug({ broker, error, retryCount, part: entry.namespace }, `kafkajs: ${message}`);
    },
  });
}

function tlsOptions({ ca, certificate, key, keyPassword, rejectUnauthorized }: KafkaTls): object {
  return {
    rejectUnauthorized,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(keyPassword === undefined ? {} : { passphrase: keyPassword }),
  };
}
