import type { TaskStatus } from '../observe/task-status.ts';

/** A task's way so far, made of one status after the other. */
export interface Progress {
  readonly status: TaskStatus;
  /** Since the command started. */
  readonly seconds: number;
  readonly rows: { readonly loaded: number; readonly total: number | null; readonly perSecond: number };
  readonly changes: { readonly applied: number; readonly published: number; readonly perSecond: number };
  readonly objects: ObjectCount;
  readonly indexes: ObjectCount;
  readonly peak: { readonly lagBytes: number; readonly lagSeconds: number };
}

export interface ObjectCount {
  readonly done: number;
  readonly total: number;
  /** Failed or skipped. */
  readonly missing: number;
}

interface Sample {
  readonly at: number;
  readonly rows: number;
  readonly changes: number;
}

/** Rates are those of the last seconds. */
const WINDOW_MS = 4000;

export class ProgressMeter {
  readonly #started: number;
  #samples: Sample[] = [];
  #peak = { lagBytes: 0, lagSeconds: 0 };

  constructor(started: number) {
    this.#started = started;
  }

  take(status: TaskStatus, now: number): Progress {
    const loaded = status.tables.reduce((sum, table) => sum + table.rowsLoaded, 0);
    const known = status.tables.length > 0 && status.tables.every(({ rows }) => rows !== null);
    const total = known ? status.tables.reduce((sum, table) => sum + (table.rows ?? 0), 0) : null;
    const applied = Number(status.positions.applied);
    this.#samples = [
      ...this.#samples.filter(({ at }) => now - at < WINDOW_MS),
      { at: now, rows: loaded, changes: applied },
    ];
    this.#takePeak(status);
    return {
      status,
      seconds: (now - this.#started) / 1000,
      rows: { loaded, total, perSecond: this.#rate('rows') },
      changes: { applied, published: Number(status.positions.published), perSecond: this.#rate('changes') },
      objects: sectionOf(status, ['pre-data']),
      indexes: sectionOf(status, ['post-data', 'foreign-keys']),
      peak: this.#peak,
    };
  }

  #rate(what: 'rows' | 'changes'): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.at === first.at) return 0;
    return Math.max(0, ((last[what] - first[what]) * 1000) / (last.at - first.at));
  }

  /** Before the stream is applied, lag is the time that the first load takes; it counts. */
  #takePeak({ lag }: TaskStatus): void {
    if (!lag) return;
    const { lagBytes, lagSeconds } = this.#peak;
    this.#peak = { lagBytes: Math.max(lagBytes, lag.bytes), lagSeconds: Math.max(lagSeconds, lag.seconds) };
  }
}

function sectionOf({ sections }: TaskStatus, names: readonly string[]): ObjectCount {
  const chosen = sections.filter(({ section }) => names.includes(section));
  const sum = (what: keyof ObjectCount) => chosen.reduce((total, section) => total + section[what], 0);
  return { done: sum('done'), total: sum('total'), missing: sum('missing') };
}
