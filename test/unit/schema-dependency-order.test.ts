import fc from 'fast-check';
import { expect, test } from 'vitest';
import { creationOrder, dependencyMap, steadyOrder } from '../../services/capture/schema/dependency-order.ts';

/** Edges from larger to smaller numbers only: no circle. */
const graph = fc.array(
  fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => ({ from: `n${Math.max(a, b) + 1}`, to: `n${Math.min(a, b)}` })),
  { maxLength: 60 },
);

test('everything stands once, after what it needs', () => {
  fc.assert(
    fc.property(graph, fc.uniqueArray(fc.nat(31)), (edges, wanted) => {
      const nodes = wanted.map((n) => `n${n}`);
      const order = creationOrder(nodes, dependencyMap(edges));
      expect(new Set(order).size).toBe(order.length);
      for (const node of nodes) expect(order).toContain(node);
      for (const { from, to } of edges) {
        if (order.includes(from)) expect(order.indexOf(to)).toBeLessThan(order.indexOf(from));
      }
    }),
  );
});

test('what needs nothing keeps its order, and what nobody needs is not drawn in', () => {
  const needs = dependencyMap([{ from: 'x', to: 'y' }]);
  expect(creationOrder(['b', 'a', 'c'], needs)).toEqual(['b', 'a', 'c']);
});

test('a circle does not keep the rest from being ordered', () => {
  const needs = dependencyMap([
    { from: 'a', to: 'b' },
    { from: 'b', to: 'a' },
    { from: 'c', to: 'a' },
  ]);
  expect(creationOrder(['c', 'a', 'b'], needs)).toEqual(['b', 'a', 'c']);
});

test('the steady order: all nodes, each after what it needs, the first that can stand before the others', () => {
  fc.assert(
    fc.property(graph, fc.uniqueArray(fc.nat(31), { minLength: 1 }), (edges, wanted) => {
      const nodes = wanted.map((n) => `n${n}`);
      const needs = dependencyMap(edges);
      const order = steadyOrder(nodes, needs);
      expect([...order].sort()).toEqual([...nodes].sort());
      for (const [place, node] of order.entries()) {
        const standing = new Set(order.slice(0, place));
        const canStand = (other: string) =>
          (needs.get(other) ?? []).every((need) => !nodes.includes(need) || standing.has(need));
        expect(node).toBe(nodes.find((other) => !standing.has(other) && canStand(other)));
      }
    }),
  );
});
