import { join } from 'node:path';
import { localDir } from '../../../deploy/local/paths.ts';
import { type LocalStack, localDown, localUp } from '../../../deploy/local/stack.ts';
import { ExitCode, SluiceError } from '../../../shared/errors.ts';
import { connect } from '../../../shared/postgres/connection.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { resolveTask } from '../../../shared/task/resolve.ts';
import type { Task } from '../../../shared/task/task.ts';
import { interruptible } from '../commands/interruption.ts';
import { countText, durationText } from '../observe/units.ts';
import { note, writeLine } from '../output.ts';
import { migrateUnderLoad } from './migrate-under-load.ts';
import { fillShop, shopSize } from './shop.ts';
import { keptText, summaryText } from './summary.ts';

const DEFAULT_ROWS = 1_200_000;
const DATABASE = 'shop';

/** Own servers, so that it starts clean and touches nothing else. */
function demoDirectory(): string {
  const own = process.env.SLUICE_LOCAL_DIR;
  return own === undefined ? join(localDir, 'demo') : join(own, 'demo');
}

/** Exit code 3 when the two ends differ. */
export async function demo(options: TaskArguments): Promise<number> {
  const rows = readRows(options.rows);
  const keep = options.keep === true;
  const directory = demoDirectory();
  return interruptible(async (signal) => {
    await localDown({ directory, remove: true });
    let kept = false;
    try {
      const stack = await startStack(directory);
      const task = await demoTask(stack);
      const size = shopSize(rows);
      const filled = await fill(task, size);
      signal.throwIfAborted();
      const result = await migrateUnderLoad({ task, childArguments: childArguments(task, stack), size, signal });
      writeLine(summaryText(filled, result));
      kept = keep;
      if (kept) writeLine(keptText(task, stack, directory));
      return result.comparison.equal ? ExitCode.ok : ExitCode.different;
    } finally {
      if (!kept) {
        note('stopping what was started');
        await localDown({ directory, remove: true });
      }
    }
  });
}

async function startStack(directory: string): Promise<LocalStack> {
  const started = performance.now();
  note('starting PostgreSQL (source and destination), Kafka and the schema registry');
  const stack = await localUp({ directory, databases: ['source', 'destination'] });
  note(`they run after ${durationText((performance.now() - started) / 1000)}`);
  return stack;
}

async function demoTask({ brokers, registry, source, destination }: LocalStack): Promise<Task> {
  const url = (server: string | undefined) => (server ?? '').replace(/\/postgres$/, `/${DATABASE}`);
  const kafka = { brokers: [...brokers], registry: { url: registry } };
  const ends = { source: { url: url(source) }, destination: { url: url(destination) } };
  const task = await resolveTask({ name: 'demo', ...ends, kafka }, process.env);
  for (const endpoint of [task.source.endpoint, task.destination]) {
    const client = await connect(
      { ...endpoint, database: 'postgres' },
      { applicationName: 'sluice demo', end: 'source' },
    );
    await client.query(`CREATE DATABASE ${quoteIdentifier(DATABASE)}`).finally(() => client.end());
  }
  return task;
}

function childArguments(task: Task, { brokers, registry, source, destination }: LocalStack): string[] {
  const url = (server: string | undefined) => (server ?? '').replace(/\/postgres$/, `/${DATABASE}`);
  return [
    `--name=${task.name}`,
    `--source=${url(source)}`,
    `--destination=${url(destination)}`,
    `--brokers=${brokers.join(',')}`,
    `--registry=${registry}`,
  ];
}

async function fill(task: Task, size: ReturnType<typeof shopSize>): Promise<number> {
  const started = performance.now();
  note('filling the source: customers, products, orders, order items, payments, events');
  const client = await connect(task.source.endpoint, { applicationName: 'sluice demo', end: 'source' });
  try {
    const rows = await fillShop(client, size);
    note(`${countText(rows)} rows after ${durationText((performance.now() - started) / 1000)}`);
    return rows;
  } finally {
    await client.end();
  }
}

function readRows(text: unknown): number {
  if (text === undefined) return DEFAULT_ROWS;
  const rows = Number(text);
  if (Number.isInteger(rows) && rows >= 1000) return rows;
  throw new SluiceError('CONFIG_INVALID', '--rows: not a number of at least 1000');
}
