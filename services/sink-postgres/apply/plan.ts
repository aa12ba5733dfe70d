import { type ColumnValue, type Tuple, UNKNOWN } from '../../../shared/envelope/change-event.ts';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import { PackedRow } from '../../../shared/envelope/packed-row.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { LooseRun } from './loose-run.ts';
import { type Row, tupleOf } from './row.ts';
import type { RowChange } from './single-change.ts';
import type { Alteration } from './statements.ts';
import type { DestinationTable, Target } from './target.ts';

/**
 * How the changes of some source transactions, in commit order, become set-based statements.
 *
 * Changes of one table are gathered in a run, the changes of one row in it folded into one:
 *
 *   c 1   c 2   u 1   d 2   u 3    u 3            run
 *   insert 1 (as updated) · sweep 2 (it should not be there) · update 3 (both)
 *
 * Rows of different keys do not depend on each other but through unique constraints, and those speak up (SQLSTATE
 * class 23), whereupon the caller applies change by change. So a run is written as deletes, updates, inserts.
 * A change whose meaning depends on those before it in another way ends the run of its table: TRUNCATE, a change of
 * the key, an update of what was deleted. Tables without a key have runs of their own (LooseRun).
 */
export type Step =
  | { readonly kind: 'insert'; readonly target: Target; readonly rows: readonly Row[] }
  | {
      readonly kind: 'update';
      readonly target: Target;
      readonly set: readonly number[];
      readonly rows: readonly Row[];
    }
  | { readonly kind: 'delete'; readonly target: Target; readonly rows: readonly Row[] }
  /** Came and went within the run: a row of such a key is not of the source. */
  | { readonly kind: 'sweep'; readonly target: Target; readonly rows: readonly Row[] }
  /** Exactly one physical row for each, found by its whole image. */
  | { readonly kind: 'remove'; readonly target: Target; readonly rows: readonly Tuple[] }
  | { readonly kind: 'alter'; readonly target: Target; readonly rows: readonly Alteration[] }
  | { readonly kind: 'single'; readonly target: Target; readonly change: RowChange }
  | { readonly kind: 'truncate'; readonly tables: readonly DestinationTable[]; readonly restartIdentity: boolean };

/** What a plan knows of the destination. */
export interface Targets {
  target(event: PackedEvent): Target;
  /** Tables of a TRUNCATE that this sink has, and whose reads did not see it. */
  truncated(event: PackedEvent): Truncated;
}

export interface Truncated {
  readonly tables: readonly DestinationTable[];
  readonly restartIdentity: boolean;
}

/** `events`: those that concern this sink, in order of position; moved marks left out. */
export function plan(events: readonly PackedEvent[], targets: Targets): Step[] {
  const steps: Step[] = [];
  const runs = new Map<string, Run | LooseRun>();
  for (const event of events) {
    if (event.op === 't') {
      const truncated = targets.truncated(event);
      for (const table of truncated.tables) runs.get(tableKey(table))?.end(steps);
      if (truncated.tables.length > 0) steps.push({ kind: 'truncate', ...truncated });
      continue;
    }
    runOf(runs, targets.target(event), steps).take(event, steps);
  }
  for (const run of runs.values()) run.end(steps);
  return steps;
}

function runOf(runs: Map<string, Run | LooseRun>, target: Target, steps: Step[]): Run | LooseRun {
  const key = runKeys.get(target) ?? rememberKey(target);
  const run = runs.get(key);
  if (run?.target === target) return run;
  run?.end(steps);
  const started = target.key.length === 0 ? new LooseRun(target) : new Run(target);
  runs.set(key, started);
  return started;
}

const runKeys = new WeakMap<Target, string>();

function rememberKey(target: Target): string {
  const key = tableKey(target.table);
  runKeys.set(target, key);
  return key;
}

interface Slot {
  op: 'insert' | 'update' | 'delete';
  row: Row;
  /** The row was there before the run. */
  existed: boolean;
  /** The run deletes or sweeps the key before it inserts. */
  cleared: boolean;
}

class Run {
  readonly target: Target;
  readonly #slots = new Map<number | string, Slot>();
  /** Rows that the run deleted before it inserted them again. */
  #replaced: Row[] = [];
  /** Rows that came and went, some of them more than once. */
  #swept: Row[] = [];

  constructor(target: Target) {
    this.target = target;
  }

  take(event: PackedEvent, steps: Step[]): void {
    const { before, after } = event;
    const row = (event.op === 'd' ? before : after) as PackedRow;
    const key = this.#foldable(event, row, before);
    if (key === null) {
      this.end(steps);
      steps.push({ kind: 'single', target: this.target, change: event.unpack() as RowChange });
      return;
    }
    const slot = this.#slots.get(key);
    if (!slot) {
      this.#slots.set(key, fresh(event, row));
      return;
    }
    if (this.#foldInto(slot, event, row)) return;
    this.end(steps);
    this.#slots.set(key, fresh(event, row));
  }

  /** The row key if the change can be folded by it, else null. */
  #foldable({ op }: PackedEvent, row: PackedRow, before: PackedRow | null): number | string | null {
    const { key } = this.target;
    const found = row.key(key);
    return op !== 'u' || before === null || before.key(key) === found ? found : null;
  }

  /** False: the change does not follow from what the slot holds; it needs a run of its own. */
  #foldInto(slot: Slot, { op }: PackedEvent, row: PackedRow): boolean {
    if (slot.op === 'delete') {
      if (op !== 'c') return false;
      if (!slot.cleared) (slot.existed ? this.#replaced : this.#swept).push(slot.row);
      slot.cleared = true;
      slot.existed = false;
      slot.op = 'insert';
      slot.row = row;
      return true;
    }
    if (op === 'c') return false;
    if (op === 'd') {
      slot.op = 'delete';
      slot.row = row;
      return true;
    }
    slot.row = merged(slot.row, row);
    return true;
  }

  end(steps: Step[]): void {
    const { target } = this;
    const inserts: Row[] = [];
    const deletes: Row[] = this.#replaced;
    const sweeps: Row[] = this.#swept;
    const updates = new Map<string, Row[]>();
    for (const { op, row, existed, cleared } of this.#slots.values()) {
      if (op === 'insert') inserts.push(row);
      else if (op === 'update') addTo(updates, knownColumns(target, row), row);
      else if (existed) deletes.push(row);
      else if (!cleared) sweeps.push(row);
    }
    if (deletes.length > 0) steps.push({ kind: 'delete', target, rows: deletes });
    if (sweeps.length > 0) steps.push({ kind: 'sweep', target, rows: sweeps });
    for (const [columns, rows] of updates) {
      const set = columns === '' ? [] : columns.split(',').map(Number);
      steps.push({ kind: 'update', target, set, rows });
    }
    if (inserts.length > 0) steps.push({ kind: 'insert', target, rows: inserts });
    this.#slots.clear();
    this.#replaced = [];
    this.#swept = [];
  }
}

function fresh({ op }: PackedEvent, row: PackedRow): Slot {
  if (op === 'c') return { op: 'insert', row, existed: false, cleared: false };
  if (op === 'd') return { op: 'delete', row, existed: true, cleared: false };
  return { op: 'update', row, existed: true, cleared: false };
}

/** The later row, with values of the earlier one where the WAL did not carry them. */
function merged(earlier: Row, later: PackedRow): Row {
  if (later.unknown === null) return later;
  const before = tupleOf(earlier);
  return later.tuple().map((value, index): ColumnValue => (value === UNKNOWN ? (before[index] ?? null) : value));
}

/** Columns that an update sets: the written ones that are known and not of the key, as text to group by. */
function knownColumns(target: Target, row: Row): string {
  const set = updatable(target);
  if (row instanceof PackedRow) {
    const { unknown } = row;
    return unknown === null ? set.text : set.indexes.filter((index) => unknown[index] === 0).join(',');
  }
  if (!row.includes(UNKNOWN)) return set.text;
  return set.indexes.filter((index) => row[index] !== UNKNOWN).join(',');
}

const updatableOf = new WeakMap<Target, { indexes: number[]; text: string }>();

function updatable(target: Target): { indexes: number[]; text: string } {
  const known = updatableOf.get(target);
  if (known) return known;
  const indexes = target.written.filter((index) => !target.key.includes(index));
  const made = { indexes, text: indexes.join(',') };
  updatableOf.set(target, made);
  return made;
}

function addTo(groups: Map<string, Row[]>, key: string, row: Row): void {
  const rows = groups.get(key);
  if (rows) rows.push(row);
  else groups.set(key, [row]);
}
