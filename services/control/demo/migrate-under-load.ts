import type { Task } from '../../../shared/task/task.ts';
import { reachFence } from '../commands/fence.ts';
import { type CutoverReport, cutOver } from '../cutover/cut-over.ts';
import { runMigration } from '../migration/run-migration.ts';
import { countText, durationText } from '../observe/units.ts';
import { type Display, openDisplay } from '../progress/display.ts';
import type { Progress } from '../progress/progress.ts';
import { type Comparison, compareAtFence } from '../verification/compare-at-fence.ts';
import { comparisonText } from '../verification/report.ts';
import type { ShopSize } from './shop.ts';
import { WriteLoad } from './write-load.ts';

export interface DemoOptions {
  readonly task: Task;
  readonly childArguments: readonly string[];
  readonly size: ShopSize;
  readonly signal: AbortSignal;
}

export interface DemoResult {
  readonly comparison: Comparison;
  readonly cutover: CutoverReport;
  readonly progress: Progress | null;
  /** Of the write load. */
  readonly transactions: number;
  readonly seconds: number;
}

const CLIENTS = 4;
const TRANSACTIONS_PER_SECOND = 75;
const FENCE_SECONDS = 600;

/** Load on - migration - fence and comparison while the load goes on - load off - cutover. */
export async function migrateUnderLoad({ task, childArguments, size, signal }: DemoOptions): Promise<DemoResult> {
  const started = performance.now();
  const load = await WriteLoad.start({
    endpoint: task.source.endpoint,
    size,
    clients: CLIENTS,
    transactionsPerSecond: TRANSACTIONS_PER_SECOND,
  });
  const display = openDisplay(false);
  display.line(
    `${CLIENTS} clients write to the source: about ${CLIENTS * TRANSACTIONS_PER_SECOND} transactions a second`,
  );
  const streaming = new Signal();
  const end = new AbortController();
  const migration = runMigration({
    task,
    childArguments,
    takeOver: false,
    patient: false,
    untilCaughtUp: false,
    display,
    signal: AbortSignal.any([signal, end.signal]),
    onProgress: ({ status }) => {
      if (status.phase === 'incremental data migration') streaming.give();
    },
  });
  const ended = migration.then(() => {
    throw new Error('the migration ended too early');
  });
  ended.catch(() => undefined);
  try {
    await Promise.race([streaming.given, ended]);
    const comparison = await Promise.race([compareUnderLoad(task, display, { started, signal }), ended]);
    await load.stop();
    display.line(`load stopped after ${countText(load.transactions)} transactions; cutting over`);
    const onStep = (text: string) => display.line(text);
    const cutover = await cutOver({ task, timeoutSeconds: FENCE_SECONDS, signal, onStep });
    const { progress } = await migration;
    return {
      comparison,
      cutover,
      progress,
      transactions: load.transactions,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    end.abort();
    await Promise.allSettled([load.stop(), migration]);
  }
}

/** Something that happens once. */
class Signal {
  readonly given: Promise<void>;
  give: () => void = () => undefined;

  constructor() {
    this.given = new Promise((resolve) => {
      this.give = resolve;
    });
  }
}

async function compareUnderLoad(
  task: Task,
  display: Display,
  { started, signal }: { readonly started: number; readonly signal: AbortSignal },
): Promise<Comparison> {
  await reachFence(task, FENCE_SECONDS, signal);
  display.line(
    `caught up after ${durationText((performance.now() - started) / 1000)}; comparing row by row while the load goes on`,
  );
  const comparison = await compareAtFence({ task, timeoutSeconds: FENCE_SECONDS, signal });
  display.line(comparisonText(comparison));
  return comparison;
}
