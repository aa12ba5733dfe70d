import type pg from 'pg';
import type { ChangeEvent, TableShape, Tuple } from '../../../shared/envelope/change-event.ts';
import type { SnapshotIdentity } from '../../../shared/envelope/manifest.ts';
import { isSeenBy } from '../../../shared/envelope/skip-rule.ts';
import { type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { checkNamed, readNamingColumns } from '../names/naming-columns.ts';
import type { NamingType } from '../names/naming-type.ts';
import { readDestinationTable } from './destination-catalog.ts';
import { placeOf } from './refusal.ts';

import { type DestinationTable, makeTarget, type Target } from './target.ts';

export interface Concern {
  /** Whether the sink takes the table. */
  takes(table: TableName): boolean;
  /** The read by which the table was loaded; null when it was not. */
  read(table: TableName): SnapshotIdentity | null;
}

/**
 * Which events are to be applied, and where to: a table's own description at the destination is read once,
 * when its first event comes.
 */
export class TableTargets {
  readonly #client: pg.Client;
  readonly #concern: Concern;
  readonly #tables = new Map<string, DestinationTable>();
  readonly #targets = new Map<TableShape, Target>();
  /** Columns that name objects, of shapes that have some. */
  readonly #naming = new Map<TableShape, readonly { index: number; column: string; type: NamingType }[]>();
  readonly #snapshots = new Map<TableShape, SnapshotIdentity | null>();

  /** `client`: its session reads the catalog; not the one that applies, which may be in a transaction. */
  constructor(client: pg.Client, concern: Concern) {
    this.#client = client;
    this.#concern = concern;
  }

  /**
   * Those of the events that are to be applied, each TRUNCATE once; afterwards `target` and `truncated` know of them.
   * `events` are in order of position; `seen` is carried from part to part of one pass over a source transaction.
   */
  async relevant(events: readonly ChangeEvent[], seen: TruncatesSeen): Promise<ChangeEvent[]> {
    const relevant: ChangeEvent[] = [];
    for (const event of events) {
      if (event.op === 't') {
        if (!seen.first(event)) continue;
        await this.#prepareTruncate(event);
      } else {
        if (event.op === 'd' && event.moved) continue;
        // Before anything is asked of the destination: what the read saw may have columns of other types.
        if (this.#isSeen(event)) continue;
        if (!this.#targets.has(event.shape)) await this.#prepare(event.shape);
        if (event.after !== null) this.#checkNames(event, event.after);
      }
      relevant.push(event);
    }
    return relevant;
  }

  target(event: ChangeEvent): Target {
    return this.#targets.get(event.shape)!;
  }

  truncated(event: ChangeEvent): readonly DestinationTable[] {
    if (event.op !== 't') return [];
    return this.#hit(event).map((table) => this.#tables.get(tableKey(table))!);
  }

  async #prepareTruncate(event: Extract<ChangeEvent, { op: 't' }>): Promise<void> {
    for (const table of this.#hit(event)) await this.#table(table);
  }

  #hit(event: Extract<ChangeEvent, { op: 't' }>): TableName[] {
    return event.truncate.tables.filter((table) => {
      if (!this.#concern.takes(table)) return false;
      const snapshot = this.#concern.read(table);
      return snapshot === null || !isSeenBy(snapshot, event.transaction);
    });
  }

  #isSeen({ shape, transaction }: ChangeEvent): boolean {
    let snapshot = this.#snapshots.get(shape);
    if (snapshot === undefined) {
      snapshot = this.#concern.read(shape);
      this.#snapshots.set(shape, snapshot);
    }
    return snapshot !== null && isSeenBy(snapshot, transaction);
  }

  #checkNames(event: ChangeEvent, row: Tuple): void {
    for (const { index, column, type } of this.#naming.get(event.shape) ?? []) {
      const text = row[index];
      if (typeof text === 'string') checkNamed({ column, type, text, place: () => placeOf(event) });
    }
  }

  async #prepare(shape: TableShape): Promise<void> {
    this.#targets.set(shape, makeTarget(shape, await this.#table(shape)));
    const naming = await readNamingColumns(this.#client, shape);
    const named = shape.columns.flatMap(({ name: column }, index) => {
      const type = naming.get(column);
      return type ? [{ index, column, type }] : [];
    });
    if (named.length > 0) this.#naming.set(shape, named);
  }

  async #table(table: TableName): Promise<DestinationTable> {
    const key = tableKey(table);
    const known = this.#tables.get(key);
    if (known) return known;
    const read = await readDestinationTable(this.#client, table);
    this.#tables.set(key, read);
    return read;
  }
}

/** A TRUNCATE stands in every partition of each of its tables' topics; it is acted on once. */
export class TruncatesSeen {
  readonly #seen = new Set<string>();

  first({ transaction, ordinal }: ChangeEvent): boolean {
    const identity = `${transaction.commitLsn}/${ordinal}`;
    if (this.#seen.has(identity)) return false;
    this.#seen.add(identity);
    return true;
  }
}
