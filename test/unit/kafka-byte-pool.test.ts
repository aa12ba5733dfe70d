import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BytePool } from '../../shared/kafka/byte-pool.ts';

const MOST = 64 * 1024;

test('a buffer is large enough, is in one hand only, and what is kept is bounded', () => {
  const step = fc.oneof(fc.constantFrom(1, 4096, 4097, 30_000, 1_100_000), fc.constant('give' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const pool = new BytePool(MOST);
      const held = new Set<Buffer>();
      const given = new Set<Buffer>();
      for (const one of steps) {
        if (one === 'give') {
          const [buffer] = held;
          if (!buffer) continue;
          held.delete(buffer);
          pool.give(buffer);
          given.add(buffer);
          continue;
        }
        const buffer = pool.take(one);
        expect(buffer.length).toBeGreaterThanOrEqual(one);
        expect(held.has(buffer)).toBe(false);
        held.add(buffer);
      }
      let kept = 0;
      for (const size of [4096, 6144, 8192, 12_288, 16_384, 24_576, 32_768, 49_152, 65_536]) {
        for (let buffer = pool.take(size); given.has(buffer) && !held.has(buffer); buffer = pool.take(size)) {
          held.add(buffer);
          kept += buffer.length;
        }
      }
      expect(kept).toBeLessThanOrEqual(MOST);
    }),
  );
});

test('what was given comes again', () => {
  const pool = new BytePool(MOST);
  const buffer = pool.take(5000);
  pool.give(buffer);
  expect(pool.take(6000)).toBe(buffer);
  expect(pool.take(6000)).not.toBe(buffer);
});
