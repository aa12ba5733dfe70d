export interface Broker {
  /** From 1. */
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  /** A second client listener that something stands before: where it listens, and what clients are told. */
  readonly proxied?: { readonly port: number; readonly advertised: number };
}

export type KafkaProperties = Readonly<Record<string, string | number | boolean>>;

/** server.properties of one broker, which is a controller too. */
export function serverProperties(broker: Broker, all: readonly Broker[], logDir: string): string {
  return `${Object.entries(brokerProperties(broker, all, logDir))
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}

export function brokerProperties(broker: Broker, all: readonly Broker[], logDir: string): KafkaProperties {
  const replicas = Math.min(3, all.length);
  const inSync = Math.max(1, replicas - 1);
  const { proxied } = broker;
  const address = (port: number, name = 'PLAINTEXT') => `${name}://127.0.0.1:${port}`;
  const listeners = [address(broker.port), ...(proxied ? [address(proxied.port, 'PROXIED')] : [])];
  const advertised = [address(broker.port), ...(proxied ? [address(proxied.advertised, 'PROXIED')] : [])];
  return {
    'process.roles': 'broker,controller',
    'node.id': broker.id,
    'controller.quorum.voters': all.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [...listeners, address(broker.controllerPort, 'CONTROLLER')].join(','),
    'advertised.listeners': advertised.join(','),
    'log.dirs': logDir,
    'auto.create.topics.enable': false,
    'unclean.leader.election.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 3,
    'group.initial.rebalance.delay.ms': 0,
    // The largest record that a task may ask for, and room around it.
    'socket.request.max.bytes': 600_000_000,
    'replica.fetch.response.max.bytes': 67_108_864,
    'log.cleaner.dedupe.buffer.size': 8_388_608,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 6_000,
  };
}
