/** A range of heap blocks, `from` included, `to` not; null: open at that end. */
export interface BlockRange {
  readonly from: number | null;
  readonly to: number | null;
}

export interface TableSize {
  /** Heap blocks. */
  readonly blocks: number;
  /** Heap and TOAST, in bytes. */
  readonly bytes: number;
}

/** What one transaction reads, in bytes at the source: bounds how long it holds back vacuum and blocks DDL. */
const RANGE_BYTES = 64 * 1024 * 1024;

/** Below it a table is read at once: a transaction of its own costs more than it gives. */
const SMALLEST_RANGE_BYTES = 8 * 1024 * 1024;

/** TID range scans came with 14; before it a condition on ctid reads the whole table each time. */
const TID_RANGE_SCAN = 140_000;

/**
 * Ranges that together hold every row of the table once, whatever its size: the first is open below, the last above.
 * `workers` share one table when it is large enough.
 */
export function planRanges(size: TableSize, workers: number, version: number): BlockRange[] {
  const whole = { from: null, to: null };
  if (version < TID_RANGE_SCAN || size.blocks < 2) return [whole];
  const wanted = Math.min(RANGE_BYTES, Math.max(SMALLEST_RANGE_BYTES, size.bytes / workers));
  const count = Math.min(size.blocks, Math.ceil(size.bytes / wanted));
  if (count < 2) return [whole];
  const bounds = Array.from({ length: count - 1 }, (_, i) => Math.floor((size.blocks * (i + 1)) / count));
  return [null, ...bounds].map((from, i) => ({ from, to: bounds[i] ?? null }));
}

/** The range as a condition; empty for the whole table. */
export function rangeCondition({ from, to }: BlockRange): string {
  const parts = [
    ...(from === null ? [] : [`ctid >= '(${from},0)'::pg_catalog.tid`]),
    ...(to === null ? [] : [`ctid < '(${to},0)'::pg_catalog.tid`]),
  ];
  return parts.length === 0 ? '' : ` WHERE ${parts.join(' AND ')}`;
}
