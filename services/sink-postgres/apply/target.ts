import type { TableShape } from '../../../shared/envelope/change-event.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';

/** A column of a destination table, as its catalog describes it. Type names are qualified, quoted and without typmod. */
export interface DestinationColumn {
  readonly name: string;
  readonly type: string;
  /** Element type for unnest (of a domain its base type); null where only the table's row type can carry it. */
  readonly element: string | null;
  /** Between the elements of an array of them: a comma, but for box. */
  readonly delimiter: string;
  /** No text of the type ever needs quotes inside an array. */
  readonly plain: boolean;
  /** A domain refuses NULL or may do so: in a row literal the column cannot be left out. */
  readonly domain: boolean;
  /** Computed by the destination: never written. */
  readonly generated: boolean;
}

export interface UniqueKey {
  /** Names of its columns. */
  readonly columns: readonly string[];
  /** Qualified equality operator of each, in the order of `columns`; before it the collation, where it is not the column's. */
  readonly equals: readonly string[];
}

export interface DestinationTable {
  readonly schema: string;
  readonly name: string;
  /** Its rows are in its partitions: it cannot be named with ONLY. */
  readonly partitioned: boolean;
  /** All columns in the order of the row type. */
  readonly columns: readonly DestinationColumn[];
  /** Unique indexes that ON CONFLICT can name: immediate, valid, without predicate or expression. */
  readonly uniqueKeys: readonly UniqueKey[];
}

/** How the tuples of one shape are written to one destination table. Numbers are indexes into the shape's columns. */
export interface Target {
  readonly table: DestinationTable;
  readonly shape: TableShape;
  /** The column at the destination of each column of the shape. */
  readonly columns: readonly DestinationColumn[];
  /** For each column of the row type the index in the shape, or -1. */
  readonly fields: readonly number[];
  /** Columns that are written: all but generated ones. */
  readonly written: readonly number[];
  /** Columns of the row key; empty for a table without one. */
  readonly key: readonly number[];
  /** Equality operator of each key column. */
  readonly equals: readonly string[];
  /** A unique index stands behind the key, so that ON CONFLICT can name it. */
  readonly arbiter: boolean;
}

/** @throws SluiceError DESTINATION_TABLE_MISSING naming the columns that the destination lacks. */
export function makeTarget(shape: TableShape, table: DestinationTable): Target {
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  const missing = shape.columns.filter(({ name }) => !byName.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new SluiceError(
      'DESTINATION_TABLE_MISSING',
      `${quoteTable(table)} lacks the column${missing.length > 1 ? 's' : ''} ${missing.join(', ')} at the destination`,
    );
  }
  const columns = shape.columns.map(({ name }) => byName.get(name) as DestinationColumn);
  const position = new Map(shape.columns.map(({ name }, index) => [name, index]));
  const indexes = shape.columns.map((_, index) => index);
  const key = indexes.filter((index) => shape.columns[index]?.key);
  const unique = table.uniqueKeys.find((candidate) =>
    sameColumns(
      candidate,
      key.map((index) => columns[index]!.name),
    ),
  );
  return {
    table,
    shape,
    columns,
    fields: table.columns.map(({ name, generated }) => (generated ? -1 : (position.get(name) ?? -1))),
    written: indexes.filter((index) => !columns[index]?.generated),
    key,
    equals: key.map(
      (index) => unique?.equals[unique.columns.indexOf(columns[index]!.name)] ?? 'OPERATOR(pg_catalog.=)',
    ),
    arbiter: unique !== undefined,
  };
}

function sameColumns(unique: UniqueKey, names: readonly string[]): boolean {
  return unique.columns.length === names.length && names.every((name) => unique.columns.includes(name));
}
