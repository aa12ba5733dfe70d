import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SnapshotIdentity } from '../../shared/envelope/manifest.ts';
import { isSeenBy } from '../../shared/envelope/skip-rule.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';

const transaction = (xid: number, commitLsn = 0n) => ({ xid, commitLsn: commitLsn as Lsn, commitTime: 0n });
const ordinary = (xmin: bigint, xmax: bigint, running: bigint[]): SnapshotIdentity => ({
  kind: 'ordinary',
  visibility: { xmin, xmax, running },
});

describe('isSeenBy', () => {
  test("a slot's snapshot saw what committed below its consistent point", () => {
    const snapshot: SnapshotIdentity = { kind: 'slot', consistentPoint: 500n as Lsn };
    expect(isSeenBy(snapshot, transaction(1, 499n))).toBe(true);
    expect(isSeenBy(snapshot, transaction(1, 500n))).toBe(false);
  });

  test('an ordinary snapshot saw what had ended when it was taken', () => {
    const snapshot = ordinary(100n, 110n, [100n, 105n]);
    const seen = [99, 100, 104, 105, 109, 110, 111].map((xid) => isSeenBy(snapshot, transaction(xid)));
    expect(seen).toEqual([true, false, true, false, true, false, false]);
  });

  test('transaction ids of 32 bits are taken for the nearest of 64 bits, across the wrap-around too', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 3n, max: 1n << 40n }),
        fc.bigInt({ min: -(1n << 30n), max: 1n << 30n }),
        fc.boolean(),
        (xmax, distance, isRunning) => {
          const full = xmax + distance;
          fc.pre(full >= 3n);
          const running = isRunning && full < xmax;
          const xmin = running ? full : xmax;
          const seen = isSeenBy(ordinary(xmin, xmax, running ? [full] : []), transaction(Number(full % (1n << 32n))));
          expect(seen).toBe(full < xmax && !running);
        },
      ),
    );
  });
});
