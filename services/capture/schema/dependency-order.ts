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
