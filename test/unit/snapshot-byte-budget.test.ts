import { expect, test } from 'vitest';
import { ByteBudget } from '../../services/capture/snapshot/byte-budget.ts';

/** Takes, and notes the name when the bytes are there. */
function taker(budget: ByteBudget) {
  const got: string[] = [];
  return { got, take: (name: string, bytes: number) => budget.take(bytes).then(() => got.push(name)) };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('never more than the limit is out, first come first served', async () => {
  const budget = new ByteBudget(10);
  const { got, take } = taker(budget);
  const all = [take('a', 6), take('b', 5), take('c', 1)];
  await settled();
  expect(got).toEqual(['a']);
  budget.give(6);
  await Promise.all(all);
  expect(got).toEqual(['a', 'b', 'c']);
  expect(budget.taken).toBe(6);
});

test('one larger than the limit gets all of it, alone', async () => {
  const budget = new ByteBudget(10);
  const { got, take } = taker(budget);
  const all = [take('small', 1), take('large', 100), take('next', 1)];
  await settled();
  expect(got).toEqual(['small']);
  budget.give(1);
  await settled();
  expect(got).toEqual(['small', 'large']);
  budget.give(100);
  await Promise.all(all);
  expect(budget.taken).toBe(1);
});
