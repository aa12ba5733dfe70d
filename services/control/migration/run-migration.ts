import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../../shared/errors.ts';
import { type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import type { Task } from '../../../shared/task/task.ts';
import { emitFence } from '../fence/emit-fence.ts';
import { Observer } from '../observe/observer.ts';
import type { TaskStatus } from '../observe/task-status.ts';
import { HeldService } from '../processes/service-process.ts';
import { supervise } from '../processes/supervise.ts';
import type { Display } from '../progress/display.ts';
import { type Progress, ProgressMeter } from '../progress/progress.ts';
import { childLine } from './child-log.ts';

export interface MigrationOptions {
  readonly task: Task;
  readonly childArguments: readonly string[];
  readonly takeOver: boolean;
  /** The servers have answered to prechecks or to the task before: one that is away is waited for from the start on. */
  readonly patient: boolean;
  readonly held?: HeldServices | undefined;
  /** End when a fence, set once the stream is applied, has passed; else go on until `signal` aborts. */
  readonly untilCaughtUp: boolean;
  readonly display: Display;
  readonly signal: AbortSignal;
  /** Called with each look at the task. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Both services of a migration, loaded before it is known that it may begin. */
export class HeldServices {
  readonly capture: HeldService;
  readonly sink: HeldService;

  constructor({ childArguments, takeOver }: Pick<MigrationOptions, 'childArguments' | 'takeOver'>) {
    this.capture = new HeldService('capture', [...childArguments, ...firstArguments(takeOver)]);
    this.sink = new HeldService('sink-postgres', childArguments);
  }

  [Symbol.dispose](): void {
    this.capture[Symbol.dispose]();
    this.sink[Symbol.dispose]();
  }
}

function firstArguments(takeOver: boolean): string[] {
  return takeOver ? ['--take-over'] : [];
}

export interface MigrationEnd {
  readonly how: 'caught up' | 'complete' | 'cut over' | 'interrupted';
  readonly progress: Progress | null;
}

const LOOK_MS = 500;
/** The end is near, and waited for. */
const FENCED_LOOK_MS = 100;

/**
 * Runs capture and sink as processes of their own, shows how far they are, and drains them at the end.
 * @throws SluiceError the final error of one of them; the other one is drained then
 */
export async function runMigration(options: MigrationOptions): Promise<MigrationEnd> {
  const { task, signal } = options;
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  const observer = new Observer(task);
  const watch = new Watch(options, observer);
  let how: MigrationEnd['how'];
  try {
    const services = [runCapture(options, watch, stop.signal), runSink(options, watch, stop.signal)];
    const bothEnded = Promise.all(services);
    const caughtUp = watch.run(stop.signal);
    try {
      how = await Promise.race([bothEnded.then(() => watch.endOf(signal)), caughtUp]);
    } finally {
      stop.abort();
      await Promise.allSettled([...services, caughtUp]);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await watch.lastLook();
    await observer.close();
    options.display.end();
  }
  return { how, progress: watch.last };
}

function runCapture(options: MigrationOptions, watch: Watch, signal: AbortSignal) {
  const { childArguments, takeOver, patient, held, display, task } = options;
  return supervise({
    service: 'capture',
    argv: childArguments,
    firstArgv: firstArguments(takeOver),
    held: held?.capture,
    patient,
    isDone: async () => !task.types.has('incremental') || watch.isCutOver(),
    onLine: (line) => display.line(childLine(line)),
    onEvent: (text) => display.line(text),
    signal,
  });
}

/** When the sink has ended for good, capture has nothing to do any more. */
async function runSink(options: MigrationOptions, watch: Watch, signal: AbortSignal) {
  const { childArguments, patient, held, display, task } = options;
  await supervise({
    service: 'sink-postgres',
    argv: childArguments,
    held: held?.sink,
    patient,
    isDone: async () => !task.types.has('incremental') || (await watch.isFinishing()),
    onLine: (line) => display.line(childLine(line)),
    onEvent: (text) => display.line(text),
    signal,
  });
  if (task.types.has('incremental') && !signal.aborted) await watch.cutOverDone(signal);
}

/** Looks at the task again and again. */
class Watch {
  last: Progress | null = null;
  readonly #options: MigrationOptions;
  readonly #observer: Observer;
  readonly #meter = new ProgressMeter(performance.now());
  #fence: Lsn | null = null;

  constructor(options: MigrationOptions, observer: Observer) {
    this.#options = options;
    this.#observer = observer;
  }

  /** Ends when caught up, if that is asked for, or cut over; else never before the signal. */
  async run(signal: AbortSignal): Promise<MigrationEnd['how']> {
    for (let looks = 0; !signal.aborted; looks++) {
      const status = await this.#look(signal).catch(unlessAborted(signal));
      if (status === null) return 'interrupted';
      if (status.phase === 'cut over') return 'cut over';
      if (looks % 4 === 0) await this.#observer.sweepRequests().catch(() => undefined);
      if (this.#options.untilCaughtUp && (await this.#isCaughtUp(status))) return 'caught up';
      await delay(this.#fence === null ? LOOK_MS : FENCED_LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
    return 'interrupted';
  }

  endOf(signal: AbortSignal): MigrationEnd['how'] {
    if (signal.aborted) return 'interrupted';
    return this.isCutOver() ? 'cut over' : 'complete';
  }

  isCutOver(): boolean {
    return this.last?.status.phase === 'cut over';
  }

  async isFinishing(): Promise<boolean> {
    const { request, destination } = await this.#observer.look(new AbortController().signal);
    return destination?.sink?.phase === 'cut over' || (request?.kind === 'finish' && request.state === 'reached');
  }

  /** `sluice cutover` has its last steps to do after the sink ended. */
  async cutOverDone(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.isCutOver()) await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }

  /** What stands at the end is shown. */
  async lastLook(): Promise<void> {
    await this.#look(AbortSignal.timeout(5000)).catch(() => undefined);
  }

  async #look(signal: AbortSignal): Promise<TaskStatus> {
    const status = await this.#observer.status(signal);
    this.last = this.#meter.take(status, performance.now());
    this.#options.display.show(this.last);
    this.#options.onProgress?.(this.last);
    return status;
  }

  /** Objects that the sink makes in the stream's first moments belong to it: foreign keys. */
  async #isCaughtUp(status: TaskStatus): Promise<boolean> {
    const { task } = this.#options;
    if (!task.types.has('incremental')) return false;
    if (status.phase !== 'incremental data migration' || status.lsn.applied === null) return false;
    this.#fence ??= await emitFence(task);
    const pending = status.sections.some(
      ({ section, done, missing, total }) => isSinks(section, status) && done + missing < total,
    );
    return parseLsn(status.lsn.applied) >= this.#fence && !pending;
  }
}

function unlessAborted(signal: AbortSignal) {
  return (error: unknown): null => {
    if (signal.aborted) return null;
    throw error;
  };
}

function isSinks(section: string, { replicaRole }: TaskStatus): boolean {
  if (section === 'foreign-keys') return replicaRole === true;
  return section === 'pre-data' || section === 'post-data';
}

/** @throws SluiceError CONFIG_INVALID */
export function readUntil(text: unknown): boolean {
  if (text === undefined) return false;
  if (text === 'caught-up') return true;
  throw new SluiceError('CONFIG_INVALID', `--until ${String(text)}: only caught-up is known`);
}
