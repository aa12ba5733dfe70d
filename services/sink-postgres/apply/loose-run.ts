import { type ChangeEvent, type ColumnValue, type Tuple, UNKNOWN } from '../../../shared/envelope/change-event.ts';
import type { Step } from './plan.ts';
import type { RowChange } from './single-change.ts';
import type { Target } from './target.ts';

/**
 * Changes of a table without a key, folded as a bag of rows: equal rows cannot be told apart, so only how many of each
 * go and come matters.
 *
 *   c A   c A   u A->B   d A   d C        run
 *   comes: B · goes: C
 *
 * Written as one removal, then one insert; where a row to remove is not there the caller applies change by change.
 */
export class LooseRun {
  readonly target: Target;
  readonly #comes = new Map<string, Tuple[]>();
  #goes: Tuple[] = [];

  constructor(target: Target) {
    this.target = target;
  }

  take(change: RowChange, event: ChangeEvent, steps: Step[]): void {
    const whole = change.op === 'u' ? filled(change.after, change.before) : change.after;
    if (whole?.includes(UNKNOWN) || change.before?.includes(UNKNOWN) || (change.op === 'u' && change.before === null)) {
      this.end(steps);
      steps.push({ kind: 'single', target: this.target, change, event });
      return;
    }
    if (change.before !== null) this.#remove(change.before);
    if (whole !== null) this.#add(whole);
  }

  end(steps: Step[]): void {
    const { target } = this;
    const inserts = [...this.#comes.values()].flat();
    if (this.#goes.length > 0) steps.push({ kind: 'remove', target, rows: this.#goes });
    if (inserts.length > 0) steps.push({ kind: 'insert', target, rows: inserts });
    this.#comes.clear();
    this.#goes = [];
  }

  #add(row: Tuple): void {
    const key = JSON.stringify(row);
    const rows = this.#comes.get(key);
    if (rows) rows.push(row);
    else this.#comes.set(key, [row]);
  }

  #remove(row: Tuple): void {
    const key = JSON.stringify(row);
    const rows = this.#comes.get(key);
    if (!rows) {
      this.#goes.push(row);
      return;
    }
    rows.pop();
    if (rows.length === 0) this.#comes.delete(key);
  }
}

/** A TOASTed value that did not change is left out of the new tuple, but stands in the old one. */
function filled(after: Tuple, before: Tuple | null): Tuple {
  if (before === null || !after.includes(UNKNOWN)) return after;
  return after.map((value, index): ColumnValue => (value === UNKNOWN ? (before[index] ?? null) : value));
}
