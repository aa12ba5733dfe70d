import { type TableShape, type Tuple, UNKNOWN } from './change-event.ts';

const keyColumnsOf = new WeakMap<TableShape, readonly number[]>();

/** Which columns make a table's row key, in column order; empty for a table without a key. */
export function keyColumns(shape: TableShape): readonly number[] {
  const known = keyColumnsOf.get(shape);
  if (known) return known;
  const columns = shape.columns.flatMap((column, index) => (column.key ? [index] : []));
  keyColumnsOf.set(shape, columns);
  return columns;
}

/**
 * The row key as text, the key of the row's Kafka records: a JSON array of the key columns' PostgreSQL texts, in
 * column order. null where the table has no key, or where the tuple does not hold all of it.
 */
export function rowKey(shape: TableShape, tuple: Tuple): string | null {
  const columns = keyColumns(shape);
  if (columns.length === 0) return null;
  let text = '[';
  for (const column of columns) {
    const value = tuple[column];
    if (value === undefined || value === UNKNOWN) return null;
    if (text.length > 1) text += ',';
    text += JSON.stringify(value);
  }
  return `${text}]`;
}
