import type { EventTransaction, Truncate } from './change-event.ts';
import type { WireTuple } from './wire-tuple.ts';

/**
 * A change event on its way into a record (change-event.ts says what its fields mean). The assembler has one of them,
 * and gives it out anew for every change: what takes it encodes it at once.
 */
export interface OutgoingEvent {
  op: 'c' | 'u' | 'd' | 't';
  before: WireTuple | null;
  after: WireTuple | null;
  moved: boolean;
  truncate: Truncate | null;
  transaction: EventTransaction;
  /** A number where that is exact: bigints cost more than all else. */
  lsn: number | bigint;
  position: number | bigint;
  ordinal: number | bigint;
  totalOrder: number | bigint;
  tableOrder: number | bigint;
}
