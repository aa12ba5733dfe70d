import { expect, test } from 'vitest';
import { arrange } from '../../services/capture/schema/arrangement.ts';
import { circles } from '../../services/capture/schema/circles.ts';
import type { DescribedObject } from '../../services/capture/schema/described-object.ts';
import { ObjectGraph } from '../../services/capture/schema/object-graph.ts';

const described = (key: string, kind: string, more: Partial<DescribedObject> = {}): DescribedObject => ({
  key,
  section: 'pre-data',
  kind,
  schema: 's',
  name: key,
  table: null,
  sql: `whole ${key}`,
  ...more,
});

/** `from` needs `to`. */
function order(objects: readonly DescribedObject[], ...dependencies: readonly [from: string, to: string][]): string[] {
  const entries = dependencies.map(([from, to]) => ({ from, to }));
  const graph = new ObjectGraph(objects, { dependencies: entries, owner: new Map(), extension: new Map() });
  return arrange(graph).map(({ object, section }) => `${object.sql} (${section})`);
}

const view = (key: string): DescribedObject =>
  described(key, 'view', {
    parts: [{ key: `${key} query`, kind: 'view query', name: key, sql: `query of ${key}` }],
    without: () => `columns of ${key}`,
  });

test('circles are found, and what merely leads to one is in none', () => {
  const needs: Record<string, string[]> = {
    a: ['b'],
    b: ['c'],
    c: ['b', 'd'],
    d: [],
    e: ['e', 'f'],
    f: ['g'],
    g: ['e'],
  };
  const found = circles(Object.keys(needs), (node) => needs[node] ?? []);
  expect(found.map((circle) => circle.sort())).toEqual([
    ['b', 'c'],
    ['e', 'f', 'g'],
  ]);
});

test('a view in a circle is made with its columns first, and who stands outside waits for its query', () => {
  const objects = [described('outside', 'table'), view('v'), described('f', 'function')];
  const made = order(objects, ['v query', 'f'], ['f', 'v'], ['outside', 'v']);
  expect(made).toEqual(['columns of v', 'whole f', 'query of v', 'whole outside'].map((sql) => `${sql} (pre-data)`));
});

test('without a circle an object stays whole', () => {
  expect(order([view('v'), described('f', 'function')], ['v query', 'f'])).toEqual([
    'whole f (pre-data)',
    'whole v (pre-data)',
  ]);
});

test('what needs a later section comes in it, but a table made of such rows gets the columns of the view before', () => {
  const key = described('key', 'primary key', { section: 'post-data' });
  expect(order([view('v'), key], ['v query', 'key'])).toEqual(['whole key (post-data)', 'whole v (post-data)']);
  expect(order([described('t', 'table'), view('v'), key], ['v query', 'key'], ['t', 'v'])).toEqual([
    'columns of v (pre-data)',
    'whole t (pre-data)',
    'whole key (post-data)',
    'query of v (post-data)',
  ]);
});
