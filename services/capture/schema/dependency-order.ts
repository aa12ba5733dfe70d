/** What stands in the way of what: `from` needs `to`. */
export interface Dependency {
  readonly from: string;
  readonly to: string;
}

export function dependencyMap(dependencies: readonly Dependency[]): Map<string, string[]> {
  const needs = new Map<string, string[]>();
  for (const { from, to } of dependencies) {
    const list = needs.get(from);
    if (list) list.push(to);
    else needs.set(from, [to]);
  }
  return needs;
}

/**
 * The nodes and everything that they need, each after what it needs, else in the order given.
 * Where nodes need each other in a circle, one of them comes too early: the destination will say which.
 */
export function creationOrder(nodes: readonly string[], needs: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Set<string>();
  const order: string[] = [];
  for (const node of nodes) visit(node, needs, seen, order);
  return order;
}

/** Depth first, without recursion: chains of inheritance or of types may be long. */
function visit(start: string, needs: ReadonlyMap<string, readonly string[]>, seen: Set<string>, order: string[]): void {
  if (seen.has(start)) return;
  seen.add(start);
  const path = [{ node: start, next: 0 }];
  for (let top = path.at(-1); top; top = path.at(-1)) {
    const need = needs.get(top.node)?.[top.next];
    top.next += 1;
    if (need === undefined) {
      order.push(top.node);
      path.pop();
    } else if (!seen.has(need)) {
      seen.add(need);
      path.push({ node: need, next: 0 });
    }
  }
}

/**
 * The nodes as near to the order given as what they need allows: at every step the first one whose needs all stand.
 * Nodes that need each other in a circle come last, with what needs them; the destination will say which is too early.
 */
export function steadyOrder(nodes: readonly string[], needs: ReadonlyMap<string, readonly string[]>): string[] {
  const places = new Map(nodes.map((node, place) => [node, place]));
  const needing = new Map<string, string[]>();
  const open = new Map<string, number>();
  const ready: number[] = [];
  for (const [place, node] of nodes.entries()) {
    const own = (needs.get(node) ?? []).filter((need) => need !== node && places.has(need));
    for (const need of own) {
      const others = needing.get(need);
      if (others) others.push(node);
      else needing.set(need, [node]);
    }
    open.set(node, own.length);
    if (own.length === 0) push(ready, place);
  }
  const order: string[] = [];
  for (let place = pop(ready); place !== undefined; place = pop(ready)) {
    const node = nodes[place] ?? '';
    order.push(node);
    for (const other of needing.get(node) ?? []) {
      const left = (open.get(other) ?? 0) - 1;
      open.set(other, left);
      if (left === 0) push(ready, places.get(other) ?? 0);
    }
  }
  return [...order, ...orderOfRest(nodes, needs, new Set(order))];
}

/** In a circle one node comes too early, and what is outside of the circle still stands after what it needs. */
function orderOfRest(
  nodes: readonly string[],
  needs: ReadonlyMap<string, readonly string[]>,
  standing: ReadonlySet<string>,
): string[] {
  const rest = nodes.filter((node) => !standing.has(node));
  const isOpen = (node: string) => !standing.has(node) && needs.has(node);
  return creationOrder(rest, new Map(rest.map((node) => [node, (needs.get(node) ?? []).filter(isOpen)])));
}

/** A binary heap, the smallest number first. */
function push(heap: number[], value: number): void {
  let at = heap.push(value) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if ((heap[above] ?? 0) <= value) break;
    heap[at] = heap[above] ?? 0;
    at = above;
  }
  heap[at] = value;
}

function pop(heap: number[]): number | undefined {
  const top = heap[0];
  const value = heap.pop();
  if (value === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    if (left >= heap.length) break;
    const below = (heap[left + 1] ?? Number.POSITIVE_INFINITY) < (heap[left] ?? 0) ? left + 1 : left;
    if ((heap[below] ?? 0) >= value) break;
    heap[at] = heap[below] ?? 0;
    at = below;
  }
  heap[at] = value;
  return top;
}
