import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planRanges, rangeCondition } from '../../services/capture/snapshot/chunk-plan.ts';

const BLOCK = 8192;
const MEBIBYTE = 1024 * 1024;

describe('ranges', () => {
  test('hold every block once, the first open below and the last above', () => {
    const size = fc.record({ blocks: fc.nat(2_000_000), toast: fc.nat(1_000_000_000) });
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 64 }), ({ blocks, toast }, workers) => {
        const ranges = planRanges({ blocks, bytes: blocks * BLOCK + toast }, workers, 140_000);
        expect(ranges[0]?.from).toBeNull();
        expect(ranges.at(-1)?.to).toBeNull();
        for (const [i, { from, to }] of ranges.entries()) {
          if (i > 0) expect(from).toBe(ranges[i - 1]?.to);
          if (from !== null && to !== null) expect(to).toBeGreaterThan(from);
        }
      }),
    );
  });

  test('bound what one transaction reads, and a small table is read at once', () => {
    const large = planRanges({ blocks: 131_072, bytes: 1024 * MEBIBYTE }, 4, 170_000);
    expect(large).toHaveLength(16);
    expect(planRanges({ blocks: 1000, bytes: 1000 * BLOCK }, 4, 170_000)).toEqual([{ from: null, to: null }]);
    expect(planRanges({ blocks: 0, bytes: 0 }, 4, 170_000)).toEqual([{ from: null, to: null }]);
  });

  test('workers share a table of middle size', () => {
    expect(planRanges({ blocks: 5120, bytes: 40 * MEBIBYTE }, 4, 170_000)).toHaveLength(4);
  });

  test('before 14 a table is read as a whole', () => {
    expect(planRanges({ blocks: 131_072, bytes: 1024 * MEBIBYTE }, 4, 130_023)).toEqual([{ from: null, to: null }]);
  });
});

test('a range as a condition', () => {
  expect(rangeCondition({ from: null, to: null })).toBe('');
  expect(rangeCondition({ from: null, to: 7 })).toBe(" WHERE ctid < '(7,0)'::pg_catalog.tid");
  expect(rangeCondition({ from: 7, to: 9 })).toBe(
    " WHERE ctid >= '(7,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid",
  );
});
