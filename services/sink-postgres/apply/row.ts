import type { ColumnValue, Tuple } from '../../../shared/envelope/change-event.ts';
import { PackedRow } from '../../../shared/envelope/packed-row.ts';

/** A row to be written: as it came, or as values where it was put together of several changes. */
export type Row = PackedRow | Tuple;

export function tupleOf(row: Row): Tuple {
  return row instanceof PackedRow ? row.tuple() : row;
}

/** About the bytes of its text. */
export function sizeOf(row: Row): number {
  if (row instanceof PackedRow) return row.layout.end(row.bytes, row.at) - row.at;
  return row.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
}

/** A value that nobody knows must not come so far: it would be written as if it were NULL. */
export function known(value: ColumnValue | undefined): string | null {
  if (typeof value === 'string' || value === null) return value;
  throw new TypeError('an unknown value was about to be written');
}
