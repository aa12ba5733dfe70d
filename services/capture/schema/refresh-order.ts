import type { CatalogEntries } from './catalog-entries.ts';
import type { DescribedObject } from './described-object.ts';

/**
 * The refresh of a materialized view needs those of the ones that it reads, also through views and through functions
 * whose bodies the server knows.
 */
export function orderRefreshes(objects: readonly DescribedObject[], entries: CatalogEntries): DescribedObject[] {
  const kinds = new Map(objects.map(({ key, kind }) => [key, kind]));
  const reads = new Map<string, string[]>();
  for (const dependency of entries.dependencies) {
    const [from, to] = [relationOf(dependency.from), relationOf(dependency.to)];
    const reader = kinds.has(from) ? from : (entries.owner.get(from) ?? from);
    const list = reads.get(reader);
    if (list) list.push(to);
    else reads.set(reader, [to]);
  }
  return objects.map((object) => {
    if (object.kind !== 'refresh' || object.of === undefined) return object;
    const read = materializedViewsBelow(object.of, reads, kinds);
    return { ...object, needs: [...(object.needs ?? []), ...read.map((key) => `${key}/refresh`)] };
  });
}

const relationOf = (entry: string) => entry.split('#')[0] ?? entry;

const readable = new Set(['view', 'function', 'procedure', 'aggregate', 'operator']);

function materializedViewsBelow(
  start: string,
  reads: ReadonlyMap<string, readonly string[]>,
  kinds: ReadonlyMap<string, string>,
): string[] {
  const seen = new Set([start]);
  const found: string[] = [];
  const queue = [start];
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    for (const next of reads.get(key) ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      const kind = kinds.get(next);
      if (kind === 'materialized view') found.push(next);
      else if (kind !== undefined && readable.has(kind)) queue.push(next);
    }
  }
  return found;
}
