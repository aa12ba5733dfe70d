import type { TableShape } from '../../../shared/envelope/change-event.ts';
import type { TableRead } from '../../../shared/envelope/fold.ts';
import type { SnapshotIdentity } from '../../../shared/envelope/manifest.ts';
import { isSeenBy } from '../../../shared/envelope/skip-rule.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { reshaped } from '../start/task-tables.ts';
import type { ShapeRule } from './bound-tables.ts';
import type { Relation } from './pgoutput-message.ts';
import { changed, differenceOf, type StreamedTable } from './streamed-table.ts';

export interface ShapeRuleOptions {
  /** Tables are read; in a task that only streams their shapes may never change. */
  readonly readsRows: boolean;
  /** Of the catalog when the tables' shapes were read; what it saw is not newer than these. */
  readonly catalog: SnapshotIdentity;
  /** By tableKey, as the manifest has them now. */
  readonly reads: ReadonlyMap<string, TableRead>;
  /** format_type() by oid. */
  readonly typeNames: ReadonlyMap<number, string>;
}

/**
 * Which shapes of a table the stream may describe besides the one of this attempt. Types may change until a table is
 * read for the first time; events of an older shape are published as they are, and passed over by every sink, because
 * the read that loads the table sees their transactions:
 *
 *   ---- insert (int) ---- ALTER ... TYPE bigint ---- attempt, catalog ---- read ---- insert (bigint) ----
 *        an older shape                                                              this attempt's
 *
 * A newer shape than this attempt's ends the attempt while the table is not read, and the task after that.
 */
export function shapeRule({ readsRows, catalog, reads, typeNames }: ShapeRuleOptions): ShapeRule {
  const older = new Map<string, StreamedTable>();
  return (table, relation, transaction) => {
    const { shape } = table;
    const difference = differenceOf(shape, relation);
    if (difference === null) return table;
    const read = reads.get(tableKey(shape));
    const isRead = read?.state === 'read' && read.snapshot !== null;
    if (!isSameButTypes(shape, relation)) throw changed(shape, difference);
    if (!isSeenBy(isRead ? read.snapshot : catalog, transaction)) {
      throw isRead || !readsRows ? changed(shape, difference) : reshaped(shape, difference);
    }
    const key = JSON.stringify([relation.oid, relation.columns]);
    const known = older.get(key) ?? { ...table, shape: shapeOf(shape, relation, typeNames) };
    older.set(key, known);
    return known;
  };
}

function isSameButTypes(shape: TableShape, relation: Relation): boolean {
  const columns = shape.columns.map((column, i) => {
    const { typeOid = 0, typmod = 0 } = relation.columns[i] ?? {};
    return { ...column, typeOid, typmod };
  });
  return differenceOf({ ...shape, columns }, relation) === null;
}

function shapeOf(shape: TableShape, relation: Relation, typeNames: ReadonlyMap<number, string>): TableShape {
  const columns = shape.columns.map((column, i) => {
    const { typeOid, typmod } = relation.columns[i]!;
    if (typeOid === column.typeOid && typmod === column.typmod) return column;
    return { ...column, typeOid, typmod, type: typeNames.get(typeOid) ?? `type ${typeOid}` };
  });
  return { ...shape, columns };
}
