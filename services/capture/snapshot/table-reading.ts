import type { SelectedTable } from '../../../shared/task/selected-tables.ts';

/** One generation of one table's rows, as it is read and published. */
export interface TableReading {
  readonly table: SelectedTable;
  /** Offset of its reload record. */
  readonly generation: bigint;
  /** Chunks that were numbered to be sent. */
  sent: number;
  /** Counted so far by the manifest. */
  chunks: number;
  rows: bigint;
  /** Given up: what of it was not published yet never is. */
  voided: boolean;
}
