import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { checkoutDir, localDir } from '../../../deploy/local/paths.ts';
import { type BenchServers, postgresSettings } from '../servers.ts';

/** What numbers mean nothing without; name and value. */
export async function describeRun(
  servers: BenchServers,
  { rounds, scale }: { readonly rounds: number; readonly scale: number },
): Promise<readonly (readonly [string, string])[]> {
  const client = await servers.connectSource();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  const settings = Object.entries(postgresSettings).map(([name, value]) => `${name} = ${value}`);
  return [
    ['date', new Date().toISOString().slice(0, 10)],
    [
      'machine',
      `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${gib(totalmem())} GiB, ${type()} ${release()}`,
    ],
    ['Sluice', commit()],
    ['Node.js', process.version],
    [
      'PostgreSQL',
      `${rows[0]?.server_version ?? 'unknown'}; ${settings.join(', ')}; VACUUM ANALYZE and CHECKPOINT instead`,
    ],
    ['Kafka', `${kafkaVersion()}, one broker, acks=all; registry ${registryVersion()}`],
    ['run', `${rounds} rounds, scale ${scale}`],
  ];
}

function gib(bytes: number): number {
  return Math.round(bytes / 1024 ** 3);
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: checkoutDir, encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes';
    return `commit ${git('rev-parse', '--short', 'HEAD')}${changed}`;
  } catch {
    return 'commit unknown';
  }
}

function kafkaVersion(): string {
  const jar = readdirSync(join(localDir, 'kafka', 'libs')).find((name) => name.startsWith('kafka_'));
  return /-([\d.]+)\.jar$/.exec(jar ?? '')?.[1] ?? 'unknown';
}

function registryVersion(): string {
  const [, name, version] = readFileSync(join(localDir, 'registry', 'artifact'), 'utf8').split(':');
  return `${name} ${version}`;
}
