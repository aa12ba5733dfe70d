import type { EventTransaction } from '../../../shared/envelope/change-event.ts';
import type { Relation } from './pgoutput-message.ts';
import type { StreamedTable } from './streamed-table.ts';

/**
 * The table as the stream describes it in this transaction, for the events that follow.
 * @throws SluiceError SOURCE_TABLE_CHANGED, SOURCE_TABLE_RESHAPED
 */
export type ShapeRule = (table: StreamedTable, relation: Relation, transaction: EventTransaction) => StreamedTable;

export interface BoundTable {
  readonly table: StreamedTable;
  /** Places of the row key's columns. */
  readonly key: readonly number[];
}

/** The selected tables as the stream described them last, by oid. */
export class BoundTables {
  readonly #selected: ReadonlyMap<number, StreamedTable>;
  readonly #shapeRule: ShapeRule;
  readonly #bound = new Map<number, BoundTable>();
  /** To be looked at when they are used. */
  readonly #put = new Map<number, Relation>();

  constructor(selected: ReadonlyMap<number, StreamedTable>, shapeRule: ShapeRule) {
    this.#selected = selected;
    this.#shapeRule = shapeRule;
  }

  /** @throws what the shape rule throws */
  describe(relation: Relation, transaction: EventTransaction): void {
    this.#put.delete(relation.oid);
    const known = this.#selected.get(relation.oid);
    if (!known) return;
    const table = this.#shapeRule(known, relation, transaction);
    const key = table.shape.columns.flatMap((column, i) => (column.key ? [i] : []));
    this.#bound.set(relation.oid, { table, key });
  }

  /** Described in a transaction that is passed over. */
  put(relation: Relation): void {
    this.#put.set(relation.oid, relation);
  }

  /** undefined: it is not selected. @throws what the shape rule throws */
  of(oid: number, transaction: EventTransaction): BoundTable | undefined {
    const bound = this.#bound.get(oid);
    const put = bound ? undefined : this.#put.get(oid);
    if (!put) return bound;
    this.describe(put, transaction);
    return this.#bound.get(oid);
  }

  /** The same for a table that the stream may not have described yet. */
  selected(oid: number, transaction: EventTransaction): StreamedTable | undefined {
    return this.of(oid, transaction)?.table ?? this.#selected.get(oid);
  }
}
