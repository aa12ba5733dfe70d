import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { SluiceError } from '../../shared/errors.ts';
import { launchJava, runJava } from './java.ts';
import { type Broker, serverProperties } from './kafka-properties.ts';
import { checkoutDir, localDir } from './paths.ts';
import { freePort } from './ports.ts';
import { end, ended, type LocalProcess, signal } from './process.ts';
import { orEnd, untilReady } from './ready.ts';

export interface KafkaOptions {
  readonly brokers: 1 | 3;
  /** Formatted when it is not yet; holds the data of all brokers. */
  readonly dataDir: string;
  /** Of the brokers' client listeners; default, and where taken: free ones. */
  readonly ports?: readonly number[];
  /** For each broker a port that clients of its second listener are told: of what stands before it. */
  readonly advertised?: readonly number[];
  /** Called when the processes run, before they answer. */
  readonly onLaunch?: (server: KafkaServer) => void;
}

export interface KafkaBroker {
  /** As Kafka knows it: 1, 2, 3. */
  readonly id: number;
  readonly port: number;
  /** Where the second listener is, when there is one. */
  readonly proxiedPort: number | null;
  readonly pid: number;
  readonly process: LocalProcess;
  readonly log: string;
  stop(): Promise<void>;
  /** SIGKILL, or SIGSTOP and SIGCONT to make it hang. */
  kill(name?: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Stop, if it runs, and start on the same data and port; waits until it answers as part of the cluster. */
  restart(): Promise<void>;
}

export interface KafkaServer {
  /** `127.0.0.1:port` of each. */
  readonly bootstrap: readonly string[];
  readonly brokers: readonly KafkaBroker[];
  stop(): Promise<void>;
}

/** KRaft brokers that are controllers too. @throws SluiceError LOCAL_STACK_FAILED with the end of a broker's log */
export async function startKafka(options: KafkaOptions): Promise<KafkaServer> {
  if (!existsSync(join(libs(), '..', 'pom.xml'))) {
    throw new SluiceError('LOCAL_STACK_FAILED', 'Kafka is not installed here', { remedy: 'Run npm run setup.' });
  }
  const layout: Broker[] = [];
  for (let id = 1; id <= options.brokers; id++) {
    const advertised = options.advertised?.[id - 1];
    layout.push({
      id,
      port: await freePort(options.ports?.[id - 1]),
      controllerPort: await freePort(),
      ...(advertised === undefined ? {} : { proxied: { port: await freePort(), advertised } }),
    });
  }
  await Promise.all(layout.map((broker) => prepare(broker, layout, options.dataDir)));
  const processes = await Promise.all(layout.map((broker) => start(broker, options.dataDir)));
  const brokers = layout.map((broker, index) => handle(broker, options.dataDir, processes[index] as LocalProcess));
  const server: KafkaServer = {
    bootstrap: layout.map(({ port }) => `127.0.0.1:${port}`),
    brokers,
    async stop() {
      await Promise.all(brokers.map((broker) => broker.stop()));
    },
  };
  options.onLaunch?.(server);
  await Promise.all(brokers.map((broker) => orEnd(broker.process, joined(broker, layout.length))));
  return server;
}

function handle(broker: Broker, dataDir: string, process: LocalProcess): KafkaBroker {
  let running = process;
  const stop = () => end(running, 'SIGTERM');
  return {
    id: broker.id,
    port: broker.port,
    proxiedPort: broker.proxied?.port ?? null,
    log: logOf(broker, dataDir),
    get process() {
      return running;
    },
    get pid() {
      return running.pid;
    },
    stop,
    async kill(name = 'SIGKILL') {
      await signal(running, name);
      if (name === 'SIGKILL') await ended(running, 10_000);
    },
    async restart() {
      await stop();
      running = await start(broker, dataDir);
      await joined(this, 1);
    },
  };
}

const libs = () => join(localDir, 'kafka', 'libs');
const brokerDir = (broker: Broker, dataDir: string) => join(dataDir, `broker-${broker.id}`);
const logOf = (broker: Broker, dataDir: string) => join(dataDir, `broker-${broker.id}.log`);
const propertiesOf = (broker: Broker, dataDir: string) => join(dataDir, `broker-${broker.id}.properties`);

async function prepare(broker: Broker, all: readonly Broker[], dataDir: string): Promise<void> {
  const logDir = brokerDir(broker, dataDir);
  mkdirSync(logDir, { recursive: true });
  writeFileSync(propertiesOf(broker, dataDir), serverProperties(broker, all, logDir));
  if (existsSync(join(logDir, 'meta.properties'))) return;
  const format = [
    'kafka.tools.StorageTool',
    'format',
    `--cluster-id=${clusterId(dataDir)}`,
    '-c',
    propertiesOf(broker, dataDir),
  ];
  await runJava(['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', `${libs()}/*`, ...format]);
}

function clusterId(dataDir: string): string {
  const path = join(dataDir, 'cluster-id');
  if (!existsSync(path)) writeFileSync(path, randomBytes(16).toString('base64url'));
  return readFileSync(path, 'utf8');
}

/** Brokers that live for minutes beside all else on few cores: compiling and collecting cost more than they gain. */
const frugal = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

function start(broker: Broker, dataDir: string): Promise<LocalProcess> {
  const logging = `-Dlog4j2.configurationFile=${join(checkoutDir, 'deploy', 'local', 'kafka', 'log4j2.properties')}`;
  const jvm = [...frugal, '-Xms512m', '-Xmx1g', '-XX:+ExitOnOutOfMemoryError', logging, '-cp', `${libs()}/*`];
  const args = [...jvm, 'kafka.Kafka', propertiesOf(broker, dataDir)];
  return launchJava({ args, cwd: dataDir, log: logOf(broker, dataDir) });
}

/** The broker answers, and knows at least so many of the cluster. */
async function joined(broker: KafkaBroker, count: number): Promise<void> {
  const { port, process, log } = broker;
  await untilReady({ what: `Kafka broker ${broker.id}`, process, log }, async () => {
    const known = await kafkaAnswers(port);
    if (!known.includes(broker.id) || known.length < count) throw new Error(`${known.length} of ${count} brokers`);
  });
}

/** Ids of the brokers that the one at this port knows. */
export async function kafkaAnswers(port: number): Promise<number[]> {
  const client = new kafkajs.Kafka({
    clientId: 'sluice-local',
    brokers: [`127.0.0.1:${port}`],
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = client.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId);
  } finally {
    await admin.disconnect().catch(() => {});
  }
}
