import { type ColumnValue, type Tuple, UNKNOWN } from '../../../shared/envelope/change-event.ts';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import type { PackedRow } from '../../../shared/envelope/packed-row.ts';
import type { Step } from './plan.ts';
import type { RowChange } from './single-change.ts';
import type { Alteration } from './statements.ts';
import type { Target } from './target.ts';

/** What became of one row in the run: null before it came, null when it is gone. */
interface Fate {
  readonly before: Tuple | null;
  after: Tuple | null;
}

/**
 * Changes of a table without a key, folded as fates of rows: equal rows cannot be told apart, so any of them will do.
 *
 *   c A   c A   u A->B   d A   d C   u D->E   u E->F        run
 *   insert: B · remove: C · alter: D->F
 *
 * Written as one removal, one update in place, one insert; where a row is not there the caller applies change by change.
 */
export class LooseRun {
  readonly target: Target;
  /** What the run began with, as long as nothing but inserts came. */
  #inserted: PackedRow[] = [];
  #fates: Fate[] = [];
  /** By the text of the row that they are now. */
  readonly #present = new Map<string, Fate[]>();

  constructor(target: Target) {
    this.target = target;
  }

  take(event: PackedEvent, steps: Step[]): void {
    const { op, after } = event;
    if (op === 'c' && after && this.#fates.length === 0) {
      this.#inserted.push(after);
      return;
    }
    for (const row of this.#inserted) this.#follow({ op: 'c', before: null, after: row.tuple() }, steps);
    this.#inserted = [];
    this.#follow(event.unpack() as RowChange, steps);
  }

  #follow(change: RowChange, steps: Step[]): void {
    const whole = change.op === 'u' ? filled(change.after, change.before) : change.after;
    if (whole?.includes(UNKNOWN) || change.before?.includes(UNKNOWN) || (change.op === 'u' && change.before === null)) {
      this.end(steps);
      steps.push({ kind: 'single', target: this.target, change });
      return;
    }
    const fate = change.before === null ? this.#born(null) : this.#leaving(change.before);
    fate.after = whole;
    if (whole !== null) this.#enter(whole, fate);
  }

  end(steps: Step[]): void {
    const { target } = this;
    if (this.#inserted.length > 0) steps.push({ kind: 'insert', target, rows: this.#inserted });
    this.#inserted = [];
    const removed: Tuple[] = [];
    const altered: Alteration[] = [];
    const inserted: Tuple[] = [];
    for (const { before, after } of this.#fates) {
      if (before && after) altered.push({ before, after });
      else if (before) removed.push(before);
      else if (after) inserted.push(after);
    }
    if (removed.length > 0) steps.push({ kind: 'remove', target, rows: removed });
    if (altered.length > 0) steps.push({ kind: 'alter', target, rows: altered });
    if (inserted.length > 0) steps.push({ kind: 'insert', target, rows: inserted });
    this.#fates = [];
    this.#present.clear();
  }

  #born(before: Tuple | null): Fate {
    const fate: Fate = { before, after: null };
    this.#fates.push(fate);
    return fate;
  }

  /** One that is `row` now, or a row that was there before the run. */
  #leaving(row: Tuple): Fate {
    const key = JSON.stringify(row);
    const fates = this.#present.get(key);
    if (!fates) return this.#born(row);
    const fate = fates.pop()!;
    if (fates.length === 0) this.#present.delete(key);
    return fate;
  }

  #enter(row: Tuple, fate: Fate): void {
    const key = JSON.stringify(row);
    const fates = this.#present.get(key);
    if (fates) fates.push(fate);
    else this.#present.set(key, [fate]);
  }
}

/** A TOASTed value that did not change is left out of the new tuple, but stands in the old one. */
function filled(after: Tuple, before: Tuple | null): Tuple {
  if (before === null || !after.includes(UNKNOWN)) return after;
  return after.map((value, index): ColumnValue => (value === UNKNOWN ? (before[index] ?? null) : value));
}
