import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type KafkaBroker, type KafkaServer, kafkaAnswers, startKafka } from './kafka-server.ts';
import { stackDir } from './paths.ts';
import { type PostgresServer, postgresAnswers, startPostgres } from './postgres-server.ts';
import { end, isRunning, type LocalProcess, ourselves } from './process.ts';
import { untilReady } from './ready.ts';
import { type RegistryServer, registryAnswers, startRegistry } from './registry-server.ts';
import { type LocalPart, localParts, type PartState, readState, withStackLock, writeState } from './stack-state.ts';

export interface StackOptions {
  /** Holds state, logs and data of one stack; default: SLUICE_LOCAL_DIR, else .local/stack of the checkout. */
  readonly directory?: string;
}

export interface UpOptions extends StackOptions {
  /** In addition to Kafka and registry. */
  readonly databases?: readonly ('source' | 'destination')[];
  /** Told of each part that is started, and then of its address. */
  readonly onProgress?: (part: LocalPart, address?: string) => void;
}

export interface DownOptions extends StackOptions {
  /** Removes data and logs too. */
  readonly remove?: boolean;
}

/** How to get at a stack that is up. */
export interface LocalStack {
  readonly brokers: readonly string[];
  readonly registry: string;
  /** URLs of the superuser, database `postgres`. */
  readonly source?: string;
  readonly destination?: string;
}

export interface PartStatus extends PartState {
  readonly part: LocalPart;
  readonly running: boolean;
}

/** Where they are free; else others, which the state remembers. */
const preferredPorts: Readonly<Record<LocalPart, number>> = {
  kafka: 19092,
  registry: 18081,
  source: 15432,
  destination: 15433,
};

/**
 * Starts what does not run yet, with the data that it had.
 * @throws SluiceError LOCAL_STACK_FAILED; what did start keeps running and is in the state
 */
export async function localUp(options: UpOptions = {}): Promise<LocalStack> {
  const directory = options.directory ?? stackDir();
  const wanted: LocalPart[] = ['kafka', 'registry', ...(options.databases ?? [])];
  return withStackLock(directory, await ourselves(), async () => {
    const state = { ...readState(directory) };
    const up = async (part: LocalPart): Promise<void> => {
      const known = state[part];
      if (known && (await isRunning(known.process)))
        return untilReady({ what: part, ...known }, () => probe(part, known));
      options.onProgress?.(part);
      const port = known?.port ?? preferredPorts[part];
      const record = (started: PartState) => {
        state[part] = started;
        writeState(directory, state);
      };
      await startPart({ part, dataDir: join(directory, part), port, record });
      options.onProgress?.(part, state[part]?.address);
    };
    const results = await Promise.allSettled(wanted.map(up));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const address = (part: LocalPart) => (state[part] as PartState).address;
    const databases = Object.fromEntries((options.databases ?? []).map((part) => [part, address(part)]));
    return { brokers: [address('kafka')], registry: address('registry'), ...databases };
  });
}

/** Ends what `localUp` started here, and nothing else. */
export async function localDown(options: DownOptions = {}): Promise<void> {
  const directory = options.directory ?? stackDir();
  await withStackLock(directory, await ourselves(), async () => {
    const state = readState(directory);
    await Promise.all(localParts.map((part) => state[part] && endPart(part, state[part])));
    if (!options.remove) return;
    for (const part of localParts) {
      const dataDir = state[part]?.dataDir;
      for (const path of [dataDir, dataDir && `${dataDir}.log`, join(directory, part)]) {
        if (path) rmSync(path, { recursive: true, force: true });
      }
    }
    writeState(directory, {});
  });
}

/** What was started here, in the order of `localParts`. */
export async function localStatus(options: StackOptions = {}): Promise<PartStatus[]> {
  const state = readState(options.directory ?? stackDir());
  const known = localParts.flatMap((part) => (state[part] ? [{ part, ...state[part] }] : []));
  return Promise.all(known.map(async (part) => ({ ...part, running: await isRunning(part.process) })));
}

interface StartOptions {
  readonly part: LocalPart;
  readonly dataDir: string;
  readonly port: number;
  /** Called as soon as there is a process. */
  readonly record: (started: PartState) => void;
}

async function startPart({ part, dataDir, port, record }: StartOptions): Promise<void> {
  switch (part) {
    case 'kafka': {
      const onLaunch = ({ brokers, bootstrap }: KafkaServer) => {
        for (const broker of brokers) record({ ...entry(broker), address: bootstrap.join(','), dataDir });
      };
      await startKafka({ brokers: 1, dataDir, ports: [port], onLaunch });
      return;
    }
    case 'registry':
      await startRegistry({
        dataDir,
        port,
        onLaunch: (server) => record({ ...entry(server), address: server.url, dataDir }),
      });
      return;
    case 'source':
    case 'destination': {
      const onLaunch = (server: PostgresServer) =>
        record({ ...entry(server), address: server.url, dataDir: server.dataDir });
      await startPostgres({ dataDir, port, onLaunch });
    }
  }
}

function entry({ process, port, log }: KafkaBroker | RegistryServer | PostgresServer) {
  return { process, port, log };
}

async function probe(part: LocalPart, { address, port }: PartState): Promise<void> {
  if (part === 'kafka') await kafkaAnswers(port);
  else if (part === 'registry') await registryAnswers(address);
  else await postgresAnswers(address);
}

const stopSignals: Readonly<Record<LocalPart, NodeJS.Signals>> = {
  kafka: 'SIGTERM',
  registry: 'SIGTERM',
  source: 'SIGINT',
  destination: 'SIGINT',
};

function endPart(part: LocalPart, { process }: { readonly process: LocalProcess }): Promise<void> {
  return end(process, stopSignals[part]);
}
