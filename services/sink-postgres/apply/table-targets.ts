import type pg from 'pg';
import type { ChangeEvent, TableShape } from '../../../shared/envelope/change-event.ts';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import { isSeenBy } from '../../../shared/envelope/skip-rule.ts';
import { type TableName, tableKey } from '../../../shared/postgres/identifiers.ts';
import { checkNamed, type NamingColumns, readNamingColumnsOf } from '../names/naming-columns.ts';
import type { NamingType } from '../names/naming-type.ts';
import { missing, readDestinationTables } from './destination-catalog.ts';
import type { Truncated } from './plan.ts';
import { placeOf } from './refusal.ts';
import { type DestinationTable, makeTarget, type Target } from './target.ts';

/** The read by which a table was loaded; nothing that commits at or above `upTo` was seen by it. */
export type TableRead = Pick<RecordOf<'read'>, 'snapshot' | 'upTo'>;

export interface Concern {
  /** Whether the sink takes the table. */
  takes(table: TableName): boolean;
  /** null: it was not loaded. */
  read(table: TableName): TableRead | null;
}

/** What is known of a table as its events have it. */
interface KnownShape {
  readonly read: TableRead | null;
  /** Where its rows go, known from its first event on that is to be applied. */
  destination: KnownDestination | null;
}

interface KnownDestination {
  readonly target: Target;
  /** Columns that name objects. */
  readonly naming: readonly { index: number; column: string; type: NamingType }[];
}

interface DescribedTable {
  readonly table: DestinationTable;
  readonly naming: NamingColumns;
}

/**
 * Which events are to be applied, and where to: a table's own description at the destination is read once,
 * when its first event comes.
 */
export class TableTargets {
  readonly #client: pg.Client;
  readonly #concern: Concern;
  readonly #tables = new Map<string, DescribedTable>();
  readonly #shapes = new Map<TableShape, KnownShape>();
  /** Tables whose inserts met rows that are there already. */
  readonly #met = new Set<string>();

  /** `client`: its session reads the catalog; not the one that applies, which may be in a transaction. */
  constructor(client: pg.Client, concern: Concern) {
    this.#client = client;
    this.#concern = concern;
  }

  /**
   * Those of the events that are to be applied, each TRUNCATE once; afterwards `target` and `truncated` know of them.
   * `events` are in order of position; `seen` is carried from part to part of one pass over a source transaction.
   */
  async relevant(events: readonly PackedEvent[], seen: TruncatesSeen): Promise<PackedEvent[]> {
    const relevant: PackedEvent[] = [];
    for (const event of events) {
      if (event.op === 't') {
        const change = event.unpack();
        if (!seen.first(change)) continue;
        for (const table of this.#hit(change)) await this.#described(table, []);
      } else {
        if (event.moved) continue;
        const known = this.#known(event.shape);
        // Before anything is asked of the destination: what the read saw may have columns of other types.
        if (isSeen(known.read, event)) continue;
        known.destination ??= await this.#prepare(event.shape, events);
        if (known.destination.naming.length > 0) checkNames(known.destination, event);
      }
      relevant.push(event);
    }
    return relevant;
  }

  target(event: PackedEvent): Target {
    return this.#shapes.get(event.shape)!.destination!.target;
  }

  truncated(event: PackedEvent): Truncated {
    const change = event.unpack();
    const tables = this.#hit(change).map((table) => this.#tables.get(tableKey(table))!.table);
    return { tables, restartIdentity: change.op === 't' && change.truncate.restartIdentity };
  }

  /** An insert met a row of its key, or of another unique value: others of the table may, too. */
  insertMet(table: TableName): void {
    this.#met.add(tableKey(table));
  }

  mayInsertMeet({ table }: Target): boolean {
    return this.#met.size > 0 && this.#met.has(tableKey(table));
  }

  #known(shape: TableShape): KnownShape {
    const known = this.#shapes.get(shape) ?? { read: this.#concern.read(shape), destination: null };
    this.#shapes.set(shape, known);
    return known;
  }

  #hit(event: ChangeEvent): TableName[] {
    if (event.op !== 't') return [];
    return event.truncate.tables.filter((table) => {
      if (!this.#concern.takes(table)) return false;
      const read = this.#concern.read(table);
      return read === null || !isSeenBy(read.snapshot, event.transaction);
    });
  }

  /** `events`: whose tables are described with it, if it has to be. */
  async #prepare(shape: TableShape, events: readonly PackedEvent[]): Promise<KnownDestination> {
    const { table, naming: types } = await this.#described(shape, events);
    const naming = shape.columns.flatMap(({ name: column }, index) => {
      const type = types.get(column);
      return type ? [{ index, column, type }] : [];
    });
    return { target: makeTarget(shape, table), naming };
  }

  /** Tables of which nothing is known yet. */
  #undescribed(events: readonly PackedEvent[]): TableName[] {
    const shapes = new Set(events.filter(({ op }) => op !== 't').map(({ shape }) => shape));
    return [...shapes].filter((shape) => !this.#tables.has(tableKey(shape)));
  }

  /** @throws SluiceError DESTINATION_TABLE_MISSING */
  async #described(table: TableName, events: readonly PackedEvent[]): Promise<DescribedTable> {
    const key = tableKey(table);
    if (!this.#tables.has(key)) await this.#describe([table, ...this.#undescribed(events)]);
    const described = this.#tables.get(key);
    if (!described) throw missing(table);
    return described;
  }

  /** Those that are there. */
  async #describe(tables: readonly TableName[]): Promise<void> {
    const found = await readDestinationTables(this.#client, tables);
    const naming = await readNamingColumnsOf(this.#client, [...found.values()]);
    for (const [key, table] of found) this.#tables.set(key, { table, naming: naming.get(key) ?? new Map() });
  }
}

function isSeen(read: TableRead | null, event: PackedEvent): boolean {
  return read !== null && event.commitLsn < read.upTo && isSeenBy(read.snapshot, event.transaction);
}

function checkNames({ naming }: KnownDestination, event: PackedEvent): void {
  const row = event.after?.tuple();
  if (!row) return;
  for (const { index, column, type } of naming) {
    const text = row[index];
    if (typeof text === 'string') checkNamed({ column, type, text, place: () => placeOf(event.unpack()) });
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
