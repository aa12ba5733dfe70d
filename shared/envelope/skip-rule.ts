import type { EventTransaction } from './change-event.ts';
import type { SnapshotIdentity, Visibility } from './manifest.ts';

/**
 * Whether the read of a table saw the transaction, so that its changes are in the loaded rows already.
 * A slot's snapshot saw exactly what committed below the consistent point; an ordinary snapshot goes by
 * transaction ids, never by LSN: commits become visible in another order than they stand in the WAL.
 */
export function isSeenBy(snapshot: SnapshotIdentity, transaction: EventTransaction): boolean {
  if (snapshot.kind === 'slot') return transaction.commitLsn < snapshot.consistentPoint;
  return isVisible(snapshot.visibility, transaction.xid);
}

const WRAP = 1n << 32n;

function isVisible({ xmin, xmax, running }: Visibility, xid: number): boolean {
  const full = widen(xid, xmax);
  return full < xmin || (full < xmax && !running.includes(full));
}

/** The 64-bit transaction id with these low 32 bits that is nearest to `near`: ids in use span less than half the circle. */
function widen(xid: number, near: bigint): bigint {
  const same = near - (near % WRAP) + BigInt(xid);
  if (same - near > WRAP / 2n) return same - WRAP;
  if (near - same > WRAP / 2n) return same + WRAP;
  return same;
}
