import { circles } from './circles.ts';
import { creationOrder } from './dependency-order.ts';
import type { Table } from './table-facts.ts';

/** A column that is added when the children of its table are there: it stands behind columns of their own. */
export interface LateColumn extends Column {
  /** Tables that get it, by oid: with the table itself children of it. */
  readonly reaches: readonly string[];
  /** Columns that stand before it in one of these. */
  readonly after: readonly Column[];
}

export interface Column {
  /** The table's oid. */
  readonly table: string;
  readonly column: string;
}

export interface ColumnOrder {
  /** How many of its columns a table is created with, by oid; those that have late columns. */
  readonly early: ReadonlyMap<string, number>;
  /** In the order in which they are added; none where no order makes every table right. */
  readonly late: readonly LateColumn[];
  /** Tables that are related to one with late columns, by oid: all are created before any is added. */
  readonly family: ReadonlySet<string>;
}

type Tables = ReadonlyMap<string, Table>;

/**
 * CREATE TABLE ... INHERITS puts the parents' columns first. Where a parent got a column later it stands behind its
 * children's own, and so it has to be added later here too: the order of the columns is what SELECT * shows.
 */
export function columnOrder(tables: Tables): ColumnOrder {
  const related = [...tables.values()].filter(({ parents, partition }) => parents.length > 0 && !partition);
  const early = new Map([...tables.values()].map(({ oid, columns }) => [oid, columns.length]));
  while (related.some((table) => shorten(table, tables, early)));
  const short = new Map([...early].filter(([oid, count]) => count < (tables.get(oid)?.columns.length ?? 0)));
  const late = lateColumns(tables, short);
  return late === null
    ? { early: new Map(), late: [], family: new Set() }
    : { early: short, late, family: family(tables, short) };
}

/** Makes a table or a parent begin with fewer columns, until the table begins as it would be created; true: it did. */
function shorten(table: Table, tables: Tables, early: Map<string, number>): boolean {
  const own = table.columns.map(({ name }) => name);
  const inherited = new Set(table.parents.flatMap(({ oid }) => earlyNames(tables.get(oid), early)));
  const wrong = [...inherited].find((name, i) => own[i] !== name);
  if (wrong !== undefined) {
    for (const { oid } of table.parents) {
      const place = earlyNames(tables.get(oid), early).indexOf(wrong);
      if (place >= 0) early.set(oid, place);
    }
    return true;
  }
  const missing = table.columns.findIndex(({ local }, i) => i >= inherited.size && local !== 't');
  if (missing < 0 || missing >= (early.get(table.oid) ?? 0)) return false;
  early.set(table.oid, missing);
  return true;
}

function earlyNames(table: Table | undefined, early: ReadonlyMap<string, number>): string[] {
  return (table?.columns ?? []).slice(0, early.get(table?.oid ?? '')).map(({ name }) => name);
}

function lateColumns(tables: Tables, early: ReadonlyMap<string, number>): LateColumn[] | null {
  const columns = new Map<string, Column & { reaches: string[] }>();
  const needs = new Map<string, string[]>();
  for (const [oid, count] of early) {
    let before: string | null = null;
    for (const { name } of tables.get(oid)?.columns.slice(count) ?? []) {
      const from = supplier(tables, early, { table: oid, column: name });
      const key = JSON.stringify(from);
      const { reaches } = columns.get(key) ?? { reaches: [] };
      columns.set(key, { ...from, reaches: [...reaches, oid] });
      const list = needs.get(key) ?? [];
      if (before !== null && before !== key) list.push(before);
      needs.set(key, list);
      before = key;
    }
  }
  if (circles(columns.keys(), (key) => needs.get(key) ?? []).length > 0) return null;
  return creationOrder([...columns.keys()], needs).flatMap((key) => {
    const late = columns.get(key);
    return late ? { ...late, after: (needs.get(key) ?? []).flatMap((before) => columns.get(before) ?? []) } : [];
  });
}

/** The table whose late column makes that of a child. */
function supplier(tables: Tables, early: ReadonlyMap<string, number>, late: Column): Column {
  const table = tables.get(late.table);
  if (table?.columns.find(({ name }) => name === late.column)?.local === 't') return late;
  const parent = table?.parents.find(({ oid }) => {
    const place = tables.get(oid)?.columns.findIndex(({ name }) => name === late.column) ?? -1;
    return place >= (early.get(oid) ?? Number.POSITIVE_INFINITY);
  });
  return parent ? supplier(tables, early, { table: parent.oid, column: late.column }) : late;
}

function family(tables: Tables, early: ReadonlyMap<string, number>): Set<string> {
  const links = new Map<string, string[]>();
  const link = (a: string, b: string) => links.set(a, [...(links.get(a) ?? []), b]);
  for (const { oid, parents, partition } of tables.values()) {
    for (const parent of partition ? [] : parents) {
      link(oid, parent.oid);
      link(parent.oid, oid);
    }
  }
  return new Set(creationOrder([...early.keys()], links));
}
