import type { CatalogEntries } from './catalog-entries.ts';
import { circles } from './circles.ts';
import type { DescribedObject, Part } from './described-object.ts';

/** The order of preference in which objects are taken apart to break a circle. */
const breakable = ['base type', 'range type', 'view', 'domain', 'table'];

/**
 * Which object needs which. An object that has parts is one node as long as that is possible; where objects need each
 * other in a circle, parts become nodes of their own, which need the rest of their object.
 */
export class ObjectGraph {
  readonly #objects = new Map<string, DescribedObject>();
  readonly #entries: CatalogEntries;
  /** Keys of the objects and of the parts: what needs, by key or by an entry covered, and what is needed. */
  readonly #needing = new Map<string, string>();
  readonly #needed = new Map<string, string>();
  /** By units: objects without their parts, and parts. */
  readonly #needsOf = new Map<string, Set<string>>();
  readonly #parts = new Map<string, { readonly of: string; readonly part: Part }>();
  /** Parts said later, by object. */
  readonly #later = new Map<string, Set<string>>();
  /** By object: nodes that do not wait for its later parts. */
  readonly #early = new Map<string, Set<string>>();

  constructor(objects: readonly DescribedObject[], entries: CatalogEntries) {
    this.#entries = entries;
    for (const object of objects) this.#objects.set(object.key, object);
    for (const object of objects) this.#index(object);
    for (const { from, to } of entries.dependencies) this.#connect(this.#resolve(from, this.#needing), to);
    for (const { key, of, needs = [], parts = [], later } of objects) {
      for (const need of of === undefined ? needs : [of, ...needs]) this.#connect(key, need);
      for (const part of parts) for (const need of part.needs ?? []) this.#connect(part.key, need);
      if (later) this.takeApart(key, later, []);
    }
  }

  #index(object: DescribedObject): void {
    const { key, covers = [], parts = [] } = object;
    for (const entry of [key, ...covers]) {
      this.#needed.set(entry, key);
      this.#needing.set(entry, key);
    }
    for (const part of parts) {
      this.#parts.set(part.key, { of: key, part });
      this.#needed.set(part.key, part.key);
      for (const entry of [part.key, ...(part.covers ?? [])]) this.#needing.set(entry, part.key);
      // Who needs a column needs the statement that adds it.
      for (const entry of part.covers ?? []) if (entry.includes('#')) this.#needed.set(entry, part.key);
    }
  }

  #connect(unit: string | undefined, to: string): void {
    const need = this.#resolve(to, this.#needed);
    if (unit === undefined || need === undefined || unit === need) return;
    // Constraints that a table inherits come with the column that its parent adds to it.
    if (this.#objects.get(unit)?.later && this.#parts.get(need)?.part.kind === 'column') return;
    const needs = this.#needsOf.get(unit);
    if (needs) needs.add(need);
    else this.#needsOf.set(unit, new Set([need]));
  }

  /** The unit that an entry of the catalogs belongs to; undefined for what is not carried at all. */
  #resolve(entry: string, units: ReadonlyMap<string, string>): string | undefined {
    const seen = new Set<string>();
    for (let at: string | undefined = entry; at !== undefined && !seen.has(at); ) {
      const unit = units.get(at);
      if (unit !== undefined) return unit;
      seen.add(at);
      at = this.#ownerOf(at);
    }
    return undefined;
  }

  #ownerOf(entry: string): string | undefined {
    const [relation, column] = entry.split('#');
    return column === undefined ? (this.#entries.owner.get(entry) ?? this.#entries.extension.get(entry)) : relation;
  }

  /** The object or part of a node. */
  object(node: string): DescribedObject {
    const whole = this.#objects.get(node);
    if (whole) return this.#withoutLaterParts(whole);
    const found = this.#parts.get(node);
    const object = this.#objects.get(found?.of ?? '');
    if (!found || !object) throw new RangeError(`no object ${node}`);
    const { kind, name, sql } = found.part;
    const { section, schema, table } = object;
    return { key: `${object.key}/${node}`, section, kind, schema, name, table, sql };
  }

  #withoutLaterParts(object: DescribedObject): DescribedObject {
    const later = this.#later.get(object.key);
    return later && object.without ? { ...object, sql: object.without(later) } : object;
  }

  /** Nodes that a node needs. */
  needs(node: string): Set<string> {
    const needed = new Set<string>();
    for (const unit of this.#unitsOf(node)) {
      for (const need of this.#needsOf.get(unit) ?? []) {
        const other = this.#nodeOf(need);
        needed.add(other);
        if (this.#early.get(other)?.has(node) || this.#objects.get(other)?.later) continue;
        for (const part of this.#later.get(other) ?? []) needed.add(part);
      }
    }
    const part = this.#parts.get(node);
    if (part) needed.add(part.of);
    needed.delete(node);
    return needed;
  }

  /** The object by itself when it is a node, with those of its parts that are said with it. */
  #unitsOf(node: string): string[] {
    const object = this.#objects.get(node);
    const later = this.#later.get(node);
    return [node, ...(object?.parts ?? []).map(({ key }) => key).filter((key) => !later?.has(key))];
  }

  #nodeOf(unit: string): string {
    const part = this.#parts.get(unit);
    return part && !this.#later.get(part.of)?.has(unit) ? part.of : unit;
  }

  /** All nodes: the objects in the order given, then later parts: bodies of functions may use what is not known here. */
  nodes(): string[] {
    return [...new Set([...this.#objects.keys(), ...[...this.#later.values()].flatMap((parts) => [...parts])])];
  }

  /** Takes objects apart until nothing needs itself; a circle without parts stays, and the destination will say so. */
  breakCircles(): void {
    for (let open = circles(this.nodes(), (node) => this.needs(node)); open.length > 0; ) {
      const broken = open.filter((circle) => this.#break(new Set(circle)));
      if (broken.length === 0) return;
      open = broken.flatMap((circle) => this.#circlesAmong(circle));
    }
  }

  /** Parts that became nodes belong to their object's circle. */
  #circlesAmong(circle: readonly string[]): string[][] {
    const nodes = new Set(circle.flatMap((node) => [node, ...(this.#later.get(node) ?? [])]));
    return circles(nodes, (node) => [...this.needs(node)].filter((need) => nodes.has(need)));
  }

  #break(circle: ReadonlySet<string>): boolean {
    const candidates = [...circle]
      .map((node) => this.#objects.get(node))
      .filter((object) => object !== undefined && this.#partsInto(object, circle).length > 0)
      .map((object) => object as DescribedObject)
      .sort((a, b) => breakable.indexOf(a.kind) - breakable.indexOf(b.kind));
    const [object] = candidates;
    if (!object) return false;
    this.takeApart(object.key, this.#partsInto(object, circle), circle);
    return true;
  }

  /** Parts of an object that need something of the circle other than the object. */
  #partsInto(object: DescribedObject, circle: ReadonlySet<string>): string[] {
    const later = this.#later.get(object.key);
    return (object.parts ?? [])
      .map(({ key }) => key)
      .filter((key) => !later?.has(key))
      .filter((key) =>
        [...(this.#needsOf.get(key) ?? [])].some((need) => {
          const node = this.#nodeOf(need);
          return node !== object.key && circle.has(node);
        }),
      );
  }

  /** Says parts of an object later; the nodes named go on needing only what is left of it. */
  takeApart(key: string, parts: Iterable<string>, early: Iterable<string>): void {
    const later = this.#later.get(key) ?? new Set();
    const before = this.#early.get(key) ?? new Set();
    for (const part of parts) later.add(part);
    for (const node of early) before.add(node);
    this.#later.set(key, later);
    this.#early.set(key, before);
  }

  partsOf(key: string): readonly Part[] {
    return this.#objects.get(key)?.parts ?? [];
  }
}
