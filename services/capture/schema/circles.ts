/** Groups of nodes that need each other in a circle (Tarjan's strongly connected components of more than one node). */
export function circles(nodes: Iterable<string>, needs: (node: string) => Iterable<string>): string[][] {
  const search = new Search(needs);
  for (const node of nodes) search.from(node);
  return search.found;
}

interface Step {
  readonly node: string;
  readonly rest: Iterator<string>;
}

/** Without recursion: chains of views or of types may be long. */
class Search {
  readonly found: string[][] = [];
  readonly #needs: (node: string) => Iterable<string>;
  readonly #index = new Map<string, number>();
  readonly #low = new Map<string, number>();
  readonly #stack: string[] = [];
  readonly #open = new Set<string>();

  constructor(needs: (node: string) => Iterable<string>) {
    this.#needs = needs;
  }

  from(start: string): void {
    if (this.#index.has(start)) return;
    const path = [this.#enter(start)];
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { value, done } = top.rest.next();
      if (done) {
        path.pop();
        this.#leave(top.node, path.at(-1)?.node);
      } else if (!this.#index.has(value)) path.push(this.#enter(value));
      else if (this.#open.has(value)) this.#lower(top.node, this.#index.get(value) ?? 0);
    }
  }

  #enter(node: string): Step {
    const index = this.#index.size;
    this.#index.set(node, index);
    this.#low.set(node, index);
    this.#stack.push(node);
    this.#open.add(node);
    return { node, rest: this.#needs(node)[Symbol.iterator]() };
  }

  #leave(node: string, parent: string | undefined): void {
    const low = this.#low.get(node) ?? 0;
    if (parent !== undefined) this.#lower(parent, low);
    if (low !== this.#index.get(node)) return;
    const group = this.#stack.splice(this.#stack.lastIndexOf(node));
    for (const member of group) this.#open.delete(member);
    if (group.length > 1) this.found.push(group);
  }

  #lower(node: string, to: number): void {
    this.#low.set(node, Math.min(this.#low.get(node) ?? to, to));
  }
}
