import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../shared/errors.ts';
import { launchJava } from './java.ts';
import { localDir } from './paths.ts';
import { freePort } from './ports.ts';
import { end, ended, type LocalProcess, signal } from './process.ts';
import { orEnd, untilReady } from './ready.ts';

export interface RegistryOptions {
  /** Schemas and their ids stay there over restarts. */
  readonly dataDir: string;
  /** Default, and where taken: a free one. */
  readonly port?: number;
  /** Called when the process runs, before it answers. */
  readonly onLaunch?: (server: RegistryServer) => void;
}

export interface RegistryServer {
  /** Base of the Confluent API. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly process: LocalProcess;
  readonly log: string;
  stop(): Promise<void>;
  /** SIGKILL, or SIGSTOP and SIGCONT to make it hang. */
  kill(name?: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Stop, if it runs, and start on the same data and port. */
  restart(): Promise<void>;
}

/** @throws SluiceError LOCAL_STACK_FAILED with the end of the registry's log */
export async function startRegistry(options: RegistryOptions): Promise<RegistryServer> {
  const home = join(localDir, 'registry');
  if (!existsSync(join(home, 'registry.jar'))) {
    throw new SluiceError('LOCAL_STACK_FAILED', 'The schema registry is not installed here', {
      remedy: 'Run npm run setup.',
    });
  }
  const port = await freePort(options.port);
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const { dataDir } = options;
  const log = join(dataDir, 'registry.log');
  mkdirSync(dataDir, { recursive: true });
  const args = [...jvm, ...settings(dataDir, port), '-jar', join(home, 'registry.jar')];
  const start = () => launchJava({ args, cwd: dataDir, log });
  const ready = () => untilReady({ what: 'The schema registry', process: running, log }, () => registryAnswers(url));

  let running = await start();
  const server: RegistryServer = {
    url,
    port,
    log,
    get process() {
      return running;
    },
    get pid() {
      return running.pid;
    },
    stop: () => end(running, 'SIGTERM'),
    async kill(name = 'SIGKILL') {
      await signal(running, name);
      if (name === 'SIGKILL') await ended(running, 10_000);
    },
    async restart() {
      await server.stop();
      running = await start();
      await ready();
    },
  };
  options.onLaunch?.(server);
  await orEnd(running, ready());
  return server;
}

const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** H2 writes each commit to its file at once, so that an id that was given out is still known after a kill. */
function settings(dataDir: string, port: number): string[] {
  const properties: Record<string, string | number> = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'quarkus.log.level': 'WARN',
    'quarkus.banner.enabled': 'false',
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': `jdbc:h2:file:${join(dataDir, 'schemas')};DB_CLOSE_ON_EXIT=FALSE;WRITE_DELAY=0`,
    'apicurio.datasource.jdbc.initial-size': 2,
    'apicurio.datasource.jdbc.min-size': 2,
    'apicurio.datasource.jdbc.max-size': 10,
  };
  return Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
}

export async function registryAnswers(url: string): Promise<void> {
  const response = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  await response.arrayBuffer();
}
