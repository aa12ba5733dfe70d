import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';

/**
 * What a sink of some tables creates: its tables with what belongs to them, and what these need wherever it stands;
 * not the views, functions and tables of others. What belongs to one of its tables and needs another one's is left
 * out, and says so.
 */
export function objectsOfTables(
  objects: readonly SchemaObject[],
  takes: (table: TableName) => boolean,
): SchemaObject[] {
  const byNumber = new Map(objects.map((object) => [object.number, object]));
  const missing = tablesMissing(objects, takes);
  const taken = new Set<number>();
  const take = (first: number) => {
    for (const stack = [first]; ; ) {
      const number = stack.pop();
      if (number === undefined) return;
      if (taken.has(number)) continue;
      taken.add(number);
      stack.push(...(byNumber.get(number)?.needs ?? []));
    }
  };
  const leftOut = new Map<number, SchemaObject>();
  for (const object of objects) {
    if (!object.table || !takes(object.table)) continue;
    const table = missing.get(object.number);
    if (!table) take(object.number);
    else
      leftOut.set(object.number, { ...object, sql: '', leftOut: `it needs ${table}, which this sink does not take` });
  }
  for (const object of objects) if (speaksOf(object, taken)) taken.add(object.number);
  return objects.flatMap((object) => leftOut.get(object.number) ?? (taken.has(object.number) ? [object] : []));
}

/** Comments, owners and settings of what is taken. */
function speaksOf({ table, identity, needs = [] }: SchemaObject, taken: ReadonlySet<number>): boolean {
  return !table && !identity && needs.length > 0 && needs.every((number) => taken.has(number));
}

/** For each object the first table among what it needs, however far, that the sink does not take. */
function tablesMissing(objects: readonly SchemaObject[], takes: (table: TableName) => boolean): Map<number, string> {
  const missing = new Map<number, string>();
  for (const { number, table, needs = [] } of objects) {
    const own = table && !takes(table) ? quoteTable(table) : undefined;
    const found = own ?? needs.map((need) => missing.get(need)).find((one) => one !== undefined);
    if (found !== undefined) missing.set(number, found);
  }
  return missing;
}
