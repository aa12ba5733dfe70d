import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { expectEqualDatabases } from '../support/compare.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { createWorkloadTables, Workload } from '../support/workload.ts';

/**
 * Brings docker-compose.yml up, migrates through it while the source is being written to, restarts both services
 * meanwhile, and compares the two ends. Called by run.sh, which gives the ports.
 */

const { SOURCE_PORT, DESTINATION_PORT, KAFKA_PORT, REGISTRY_PORT } = process.env;
const source = `postgresql://postgres:sluice@127.0.0.1:${SOURCE_PORT}/app`;
const destination = `postgresql://postgres:sluice@127.0.0.1:${DESTINATION_PORT}/app`;
const task = ['--task-file', '/etc/sluice/task.yaml'];

const run = promisify(execFile);
const say = (text: string) => process.stdout.write(`containers: ${text}\n`);

async function compose(...args: string[]): Promise<string> {
  const { stdout } = await run('docker-compose', args, { maxBuffer: 100_000_000 });
  return stdout;
}

async function healthy(service: string): Promise<void> {
  await eventually(
    async () => {
      const id = (await compose('ps', '-q', service)).trim();
      const { stdout } = await run('docker', ['inspect', '--format', '{{.State.Health.Status}}', id]);
      return stdout.trim() === 'healthy';
    },
    { timeoutMs: 240_000, intervalMs: 1_000, what: `${service} being healthy` },
  );
}

async function fillSource(): Promise<void> {
  const client = new pg.Client(source);
  await client.connect();
  await createWorkloadTables({ query: async (sql) => (await client.query(sql)).rows }, 2_000);
  await client.end();
}

const sluice = (service: string, ...args: string[]) =>
  compose('exec', '-T', service, 'node', '/sluice/bin/sluice.js', ...args, ...task);

await compose('up', '-d', 'kafka', 'registry', 'source', 'destination');
for (const service of ['kafka', 'registry', 'source', 'destination']) await healthy(service);
say('servers are healthy');
await fillSource();
await using load = new Workload(source, { seed: 1, transactionsPerSecond: 30 });
await compose('up', '-d', '--no-build', 'capture', 'sink');
for (const service of ['capture', 'sink']) await healthy(service);
say('capture and sink are healthy');
await sluice('sink', 'fence');
say('the first fence is applied');
await compose('restart', 'registry');
await compose('kill', 'capture', 'sink');
await compose('up', '-d', '--no-build', 'capture', 'sink');
await load.progress(200);
say(`killed and started again; compared under load: ${(await sluice('sink', 'fence', '--compare')).trim()}`);
const { committed } = await load.stop();
await sluice('sink', 'fence');
const rows = await expectEqualDatabases(source, destination);
const brokers = [`127.0.0.1:${KAFKA_PORT}`];
const registry = `http://127.0.0.1:${REGISTRY_PORT}/apis/ccompat/v7`;
const { batches, events } = await expectSoundTopics({ brokers, registry, task: 'compose' });
say(`equal: ${rows} rows after ${committed} transactions; topics sound: ${batches} batches, ${events} events`);
