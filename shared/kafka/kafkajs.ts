import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { AnswerCutter } from './answer-cutter.ts';
import { OWN_PART_BYTES } from './wire.ts';

/**
 * The parts of kafkajs 2.2.4 that Sluice uses, most of them inside the package: connections with TLS and SASL,
 * and the administrative requests. Its producer, consumer and cluster are not used (design: kafkajs facts).
 */

const load = createRequire(import.meta.url);

export interface ConnectionPool {
  readonly pool: readonly { rejectRequests(error: Error): void }[];
  send(exchange: Exchange<unknown>): Promise<unknown>;
}

export interface EncodedBody {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  /** What follows `buffer`, written to the socket from where it lies; it is not changed before the answer. */
  readonly rest?: readonly Buffer[];
}

/** A request with its answer: `encode` gives the body, `decode` takes the payload without correlation id. */
export interface Exchange<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<EncodedBody>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<T & { clientSideThrottleTime?: number }>;
    readonly parse: (decoded: T) => Promise<T>;
  };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}

interface OutgoingRequest {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: Exchange<unknown>['request'];
}

/**
 * A request as it goes to the broker. kafkajs's own version copies the payload twice, into buffers that it fills with
 * zeros and that are up to twice as large: for requests of many megabytes more work than all else.
 */
async function wholeRequest({ correlationId, clientId, request }: OutgoingRequest): Promise<{ buffer: Buffer }> {
  const { buffer: payload, rest = [] } = await request.encode();
  const client = Buffer.from(clientId);
  const header = REQUEST_HEADER + client.length;
  const parts = payload.length < OWN_PART_BYTES ? rest : [payload, ...rest];
  const buffer = Buffer.allocUnsafe(header + (parts === rest ? payload.length : 0));
  const length = parts.reduce((sum, part) => sum + part.length, buffer.length);
  buffer.writeInt32BE(length - 4, 0);
  buffer.writeInt16BE(request.apiKey, 4);
  buffer.writeInt16BE(request.apiVersion, 6);
  buffer.writeInt32BE(correlationId, 8);
  buffer.writeInt16BE(client.length, 12);
  buffer.set(client, REQUEST_HEADER);
  if (parts === rest) buffer.set(payload, header);
  return { buffer: parts.length > 0 ? Object.assign(buffer, { [REST]: parts }) : buffer };
}

/** At the first bytes of a request, which are all that kafkajs knows of it. */
const REST = Symbol.for('sluice.kafka.rest');

type FirstBytes = Uint8Array & { readonly [REST]?: readonly Buffer[] };

/** Length, API key and version, correlation id, length of the client id. */
const REQUEST_HEADER = 14;

/** For the modules that are loaded from here: who loaded kafkajs before keeps a copy of its own. */
function replaceRequest(): void {
  const path = load.resolve('kafkajs/src/protocol/request');
  const sources = dirname(dirname(path));
  for (const known of Object.keys(load.cache)) if (known.startsWith(sources)) delete load.cache[known];
  load(path);
  const module = load.cache[path];
  if (!module) throw new Error('kafkajs builds its requests elsewhere');
  module.exports = wholeRequest;
}

replaceRequest();

export interface NewTopic {
  readonly topic: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly configEntries: readonly { name: string; value: string }[];
}

export interface DescribedConfig {
  readonly resourceName: string;
  readonly configEntries: readonly { configName: string; configValue: string }[];
}

export interface Broker {
  readonly connectionPool: ConnectionPool;
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  createTopics(request: { topics: readonly NewTopic[]; timeout: number }): Promise<unknown>;
  deleteTopics(request: { topics: readonly string[]; timeout: number }): Promise<unknown>;
  describeConfigs(request: {
    resources: readonly { type: number; name: string; configNames: readonly string[] }[];
  }): Promise<{ resources: readonly DescribedConfig[] }>;
}

export interface LogEntry {
  readonly level: number;
  readonly namespace: string;
  readonly log: Readonly<Record<string, unknown>> & { readonly message: string };
}

export interface KafkajsLogger {
  namespace(name: string): KafkajsLogger;
}

export const createLogger = load('kafkajs/src/loggers').createLogger as (options: {
  level: number;
  logCreator: () => (entry: LogEntry) => void;
}) => KafkajsLogger;

export const BrokerClass = load('kafkajs/src/broker') as new (options: {
  connectionPool: ConnectionPool;
  logger: KafkajsLogger;
  nodeId: number | null;
  authenticationTimeout: number;
  allowAutoTopicCreation: boolean;
}) => Broker;

export const ConnectionPoolClass = load('kafkajs/src/network/connectionPool') as new (options: {
  host: string;
  port: number;
  ssl: object | null;
  sasl: object | null;
  clientId: string;
  logger: KafkajsLogger;
  socketFactory: unknown;
  connectionTimeout: number;
  requestTimeout: number;
  enforceRequestTimeout: boolean;
  maxInFlightRequests: number | null;
  reauthenticationThreshold: number;
}) => ConnectionPool;

interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | null;
  readonly onConnect: () => void;
}

type SocketFactory = (options: SocketOptions) => Socket;

const standardSocketFactory = load('kafkajs/src/network/socketFactory') as () => SocketFactory;

/**
 * Small requests go out at once: kafkajs leaves Nagle's algorithm on, which makes one wait for the answer to another.
 * With the first bytes of a request goes its rest. Answers come whole.
 */
export function promptSocketFactory(): SocketFactory {
  const open = standardSocketFactory();
  return (options) => {
    const socket = options.ssl ? open(options) : plainSocket(options);
    const write = socket.write.bind(socket) as (bytes: Uint8Array | string, ...others: unknown[]) => boolean;
    socket.write = (bytes: FirstBytes | string, ...others: unknown[]) => {
      const rest = typeof bytes === 'string' ? undefined : bytes[REST];
      if (!rest) return write(bytes, ...others);
      socket.cork();
      for (const part of [bytes, ...rest]) write(part);
      socket.uncork();
      return !socket.writableNeedDrain;
    };
    return socket.setNoDelay(true);
  };
}

const KEEP_ALIVE_MILLISECONDS = 60_000;
const READ_BYTES = 256 * 1024;

/** Reads into one buffer all its life: a stream's own reads leave a buffer of 64 kB each to the garbage collector. */
function plainSocket({ host, port, onConnect }: SocketOptions): Socket {
  const answers = new AnswerCutter((bytes) => socket.emit('data', bytes));
  const take = (length: number, buffer: Uint8Array) => {
    answers.take(buffer.subarray(0, length));
    return true;
  };
  const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: take };
  const socket: Socket = connect({ host, port, onread }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MILLISECONDS);
}

interface Connection {
  chunks: Buffer[];
  readonly bytesBuffered: number;
  processData(data: Buffer): void;
}

const { prototype: connectionPrototype } = load('kafkajs/src/network/connection') as { prototype: Connection };
const processData = connectionPrototype.processData;

/** kafkajs keeps the empty rest of the answer before, and would copy the next one to join the two. */
connectionPrototype.processData = function process(this: Connection, data: Buffer): void {
  if (this.bytesBuffered === 0) this.chunks = [];
  processData.call(this, data);
};

const errorCodes = load('kafkajs/src/protocol/error').errorCodes as readonly { type: string; code: number }[];

const typesByCode = new Map(errorCodes.map(({ type, code }) => [code, type]));

/** Kafka's name of an error code, as `NOT_LEADER_FOR_PARTITION`. */
export function errorType(code: number): string {
  return typesByCode.get(code) ?? `error code ${code}`;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}

const RequestQueueClass = load('kafkajs/src/network/requestQueue') as { prototype: Record<string, unknown> };

const QUEUE_CHECK_MILLISECONDS = 10;

/**
 * kafkajs's own version of this arms a timer of negative length when nothing is pending, again and again:
 * a busy loop of one millisecond a connection, and Node's TimeoutNegativeWarning on the user's terminal.
 */
RequestQueueClass.prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
  const wait = Math.max(this.throttledUntil - Date.now(), QUEUE_CHECK_MILLISECONDS);
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, wait);
};
