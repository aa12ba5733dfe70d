import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cleanup } from '../support/cleanup.ts';
import { compareDatabases } from '../support/compare.ts';
import { TestDatabase } from '../support/database.ts';
import { ownKafka } from '../support/own-servers.ts';
import { type SluiceProcess, startProcess } from '../support/processes.ts';

/**
 * Resident memory of capture and sink while one transaction of many changes goes through; by hand:
 *
 *   TEST_SOURCE_URL=... TEST_DESTINATION_URL=... TEST_REGISTRY_URL=... \
 *     node --import tsx test/bench/large-transaction.ts [--changes 2000000]
 */

const { values } = parseArgs({ options: { changes: { type: 'string', default: '2000000' } } });
const changes = Number(values.changes);
const env = (name: string) => process.env[name] ?? missing(name);
const task = `bench-${Date.now().toString(36)}`;
const SAMPLE_MILLISECONDS = 500;
const PRINT_EVERY = 10;

await using cleanup = new Cleanup();
await using kafka = await ownKafka();
const database = (end: string, server: string) =>
  TestDatabase.create({ server, name: `${end}_${task.replace('-', '_')}`, cleanup, drops: true });
const source = await database('source', env('TEST_SOURCE_URL'));
const destination = await database('destination', env('TEST_DESTINATION_URL'));
await source.query('CREATE TABLE ledger (id int PRIMARY KEY, amount numeric, note text, at timestamptz DEFAULT now())');
await using capture = start('capture');
await using sink = start('sink-postgres');
await until(async () => (await phase()) === 'incremental data migration');
const usage = new Map<SluiceProcess, { most: number }>([capture, sink].map((service) => [service, { most: 0 }]));
let began = performance.now();
print('waiting');

const half = Math.floor(changes / 2);
began = performance.now();
await source.query(`
  BEGIN;
  INSERT INTO ledger (id, amount, note) SELECT i, i / 7.0, repeat(md5(i::text), 3) FROM generate_series(1, ${half}) i;
  UPDATE ledger SET amount = amount + 1;
  COMMIT`);
print('committed');
const target = BigInt((await source.value("SELECT pg_current_wal_flush_lsn()::pg_lsn - pg_lsn '0/0'")) ?? '0');
const appliedLsn = `SELECT coalesce(max(lsn::pg_lsn - pg_lsn '0/0'), 0) FROM sluice.position`;
let samples = 0;
await until(async () => {
  for (const service of usage.keys()) sample(service);
  if (samples++ % PRINT_EVERY === 0) print('');
  return BigInt((await destination.value(appliedLsn)) ?? '0') >= target - 4096n && (await rows(destination)) === half;
});
print('applied');
const different = (await compareDatabases(source.url, destination.url)).filter(({ equal }) => !equal);
process.stdout.write(
  different.length === 0 ? 'both ends hold the same rows\n' : `different: ${JSON.stringify(different)}\n`,
);

function start(service: 'capture' | 'sink-postgres'): SluiceProcess {
  const main = ['--import', 'tsx', `services/${service}/main.ts`];
  const ends = ['--name', task, '--source', source.url, '--destination', destination.url];
  const brokers = ['--brokers', kafka.bootstrap.join(','), '--registry', env('TEST_REGISTRY_URL')];
  return startProcess(process.execPath, [...main, ...ends, ...brokers]);
}

async function phase(): Promise<string | null> {
  return await destination.value('SELECT phase FROM sluice.sink').catch(() => null);
}

async function rows(at: TestDatabase): Promise<number> {
  return Number(await at.value('SELECT count(*) FROM ledger').catch(() => 0));
}

/** MiB. */
function resident({ pid }: SluiceProcess): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

function sample(service: SluiceProcess): void {
  const known = usage.get(service)!;
  known.most = Math.max(known.most, resident(service));
}

function print(what: string): void {
  const seconds = Math.round((performance.now() - began) / 1000);
  const now = [capture, sink].map((service, i) => {
    sample(service);
    return `${['capture', 'sink'][i]} ${resident(service)} MiB (most ${usage.get(service)!.most})`;
  });
  process.stdout.write(`${seconds} s  ${now.join('  ')}  ${what}\n`);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    const ended = [capture, sink].find((service) => !service.running);
    if (ended) throw new Error(ended.output);
    await delay(SAMPLE_MILLISECONDS);
  }
}

function missing(name: string): never {
  throw new Error(`${name} is not set`);
}
