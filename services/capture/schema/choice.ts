import { type Selector, selector } from '../../../shared/task/selection.ts';
import type { Selection } from '../../../shared/task/task.ts';
import type { DescribedObject } from './described-object.ts';
import type { ObjectGraph } from './object-graph.ts';

/** What a task takes of the objects of the source. */
export interface Choice {
  readonly carried: readonly DescribedObject[];
  readonly leftOut: readonly LeftOutObject[];
}

/** Something that was selected and cannot be carried. */
export interface LeftOutObject {
  readonly object: DescribedObject;
  readonly reason: string;
  /** Of one that is left out for want of another: the other. */
  readonly needs: DescribedObject | null;
}

/** Holds rows, or shows those of others: not drawn in by what merely reads it. */
const relations = new Set(['table', 'view', 'materialized view', 'foreign table']);
/** Drawn in with everything above: a table cannot be without what it inherits from. */
const structural = new Set(['table', 'inheritance', 'partition']);
/** What stands in no schema and belongs to objects that do: taken with them. */
const between = new Set(['cast', 'transform']);
/** Left out where tables are asked for by name. */
const behaviour = new Set(['trigger', 'trigger state', 'rule', 'rule state']);

/**
 * The selected objects and all that they need, wherever it stands. Relations with rows are not drawn in, except by
 * tables that are made of them: what needs one that is not selected is left out, and what needs that.
 */
export function chooseObjects(objects: readonly DescribedObject[], graph: ObjectGraph, selection: Selection): Choice {
  const choosing = new Choosing(objects, graph, selection);
  return choosing.choice();
}

class Choosing {
  readonly #objects: readonly DescribedObject[];
  readonly #byKey: ReadonlyMap<string, DescribedObject>;
  readonly #needs: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #belongingTo = new Map<string, DescribedObject[]>();
  readonly #selects: Selector;
  /** Neither tables nor schemas are asked for by name. */
  readonly #whole: boolean;
  readonly #wanted = new Set<string>();
  readonly #leftOut = new Map<string, LeftOutObject>();

  constructor(objects: readonly DescribedObject[], graph: ObjectGraph, selection: Selection) {
    this.#objects = objects;
    this.#byKey = new Map(objects.map((object) => [object.key, object]));
    this.#needs = new Map(objects.map(({ key }) => [key, graph.needs(key)]));
    for (const object of objects) {
      if (object.of === undefined) continue;
      const others = this.#belongingTo.get(object.of);
      if (others) others.push(object);
      else this.#belongingTo.set(object.of, [object]);
    }
    this.#selects = selector(selection);
    const { include, exclude } = selection.schemas;
    this.#whole = !this.#selects.byTable && include.length + exclude.length === 0;
  }

  choice(): Choice {
    this.#want(this.#objects.filter((object) => this.#isSelected(object)));
    this.#want(this.#objects.filter((object) => between.has(object.kind) && this.#isBetweenWanted(object)));
    this.#leaveOut();
    return {
      carried: this.#objects.filter(({ key }) => this.#wanted.has(key) && !this.#leftOut.has(key)),
      leftOut: this.#objects.flatMap(({ key, kind }) => (kind === 'comment' ? [] : (this.#leftOut.get(key) ?? []))),
    };
  }

  #isSelected(object: DescribedObject): boolean {
    const { kind, schema, lineage = [], of } = object;
    if (of !== undefined) return false;
    if (kind === 'table' || kind === 'foreign table') return this.#selects.table([object, ...lineage]);
    if (this.#selects.byTable) return false;
    if (schema === '') return this.#whole;
    // Of a table that is not carried neither is its sequence, unless something else needs it.
    return this.#selects.schema(schema) && lineage.every((owner) => this.#selects.table([owner]));
  }

  #isBetweenWanted({ key }: DescribedObject): boolean {
    if (this.#selects.byTable || this.#wanted.has(key)) return false;
    const needs = [...(this.#needs.get(key) ?? [])].filter(
      (need) => !['extension', 'schema', 'language'].includes(this.#kind(need)),
    );
    return needs.length > 0 && needs.every((need) => this.#wanted.has(need));
  }

  /** What belongs to a relation that is not taken is named by the relation. */
  #relationOf(key: string): DescribedObject | undefined {
    const object = this.#byKey.get(key);
    const relation = this.#byKey.get(object?.of ?? '');
    return relation && !this.#wanted.has(relation.key) ? relation : object;
  }

  #kind(key: string): string {
    return this.#byKey.get(key)?.kind ?? '';
  }

  /** What belongs to a relation comes with it. */
  #want(objects: readonly DescribedObject[]): void {
    const queue = [...objects];
    for (let object = queue.pop(); object; object = queue.pop()) {
      if (this.#wanted.has(object.key)) continue;
      this.#wanted.add(object.key);
      for (const need of this.#needs.get(object.key) ?? []) {
        const needed = this.#byKey.get(need);
        if (needed && this.#drawsIn(object, needed)) queue.push(needed);
      }
      queue.push(...this.#belonging(object.key));
    }
  }

  #drawsIn(object: DescribedObject, needed: DescribedObject): boolean {
    if (needed.of !== undefined) return false;
    return !relations.has(needed.kind) || (structural.has(object.kind) && needed.kind === 'table');
  }

  #belonging(key: string): DescribedObject[] {
    const found = this.#belongingTo.get(key) ?? [];
    return this.#selects.byTable ? found.filter(({ kind }) => !behaviour.has(kind)) : found;
  }

  /** From what cannot be carried by itself to all that needs it. */
  #leaveOut(): void {
    const needing = new Map<string, string[]>();
    for (const key of this.#wanted) {
      for (const need of this.#needs.get(key) ?? []) {
        const list = needing.get(need);
        if (list) list.push(key);
        else needing.set(need, [key]);
      }
    }
    for (const object of this.#objects) {
      if (object.leftOut !== undefined && this.#wanted.has(object.key)) {
        this.#leftOut.set(object.key, { object, reason: object.leftOut, needs: null });
      }
    }
    const missing = [...needing.keys()].filter((key) => !this.#wanted.has(key) || this.#leftOut.has(key));
    for (let key = missing.pop(); key !== undefined; key = missing.pop()) {
      const needs = this.#relationOf(key);
      for (const needer of needing.get(key) ?? []) {
        const object = this.#byKey.get(needer);
        if (!object || !needs || this.#leftOut.has(needer)) continue;
        const why = this.#wanted.has(key) ? 'is left out' : 'is not selected';
        this.#leftOut.set(needer, { object, reason: `needs ${nameOf(needs)}, which ${why}`, needs });
        missing.push(needer);
      }
    }
  }
}

/** As a person reads it. */
function nameOf({ kind, schema, name }: DescribedObject): string {
  return schema === '' ? `${kind} ${name}` : `${kind} ${schema}.${name}`;
}
