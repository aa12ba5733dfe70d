import { compareOrder, firstColumn, type RowOrder, unescapeCopy } from './order.ts';

export interface TableDifference {
  readonly rows: { readonly source: number; readonly destination: number };
  /** Rows of the source that the destination lacks, rows that only the destination has, rows that differ. */
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  /** Keys of the first ones of each kind; none for a table without a key. */
  readonly examples: readonly { readonly kind: 'missing' | 'extra' | 'different'; readonly key: string }[];
}

/** Rows in order, as COPY lines. */
export interface RowLines {
  /** The next row if it is here already. */
  take(): Buffer | undefined;
  /** The next row, waited for; undefined at the end. */
  next(): Promise<Buffer | undefined>;
}

const MOST_EXAMPLES = 10;

/**
 * Merges the two ends of a table, both in the same order, row by row; two rows are held in memory at a time.
 * `report` is called now and then with the number of rows of the source so far.
 */
export async function mergeTable(
  source: RowLines,
  destination: RowLines,
  order: RowOrder,
  report: (rows: number) => void = () => undefined,
): Promise<TableDifference> {
  const count = { source: 0, destination: 0, missing: 0, extra: 0, different: 0 };
  const examples: { kind: 'missing' | 'extra' | 'different'; key: string }[] = [];
  const note = (kind: 'missing' | 'extra' | 'different', line: Buffer) => {
    count[kind] += 1;
    if (order !== 'hash' && examples.length < MOST_EXAMPLES) examples.push({ kind, key: keyText(line) });
  };
  let a = await source.next();
  let b = await destination.next();
  while (a !== undefined || b !== undefined) {
    const side = compareLines(order, a, b);
    if (side < 0 && a) note('missing', a);
    if (side > 0 && b) note('extra', b);
    if (side === 0 && a && b && !a.equals(b)) note('different', a);
    if (side <= 0) {
      count.source += 1;
      if (count.source % 65_536 === 0) report(count.source);
      a = source.take() ?? (await source.next());
    }
    if (side >= 0) {
      count.destination += 1;
      b = destination.take() ?? (await destination.next());
    }
  }
  const { missing, extra, different } = count;
  return { rows: { source: count.source, destination: count.destination }, missing, extra, different, examples };
}

function compareLines(order: RowOrder, a: Buffer | undefined, b: Buffer | undefined): number {
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  if (a.equals(b)) return 0;
  return compareOrder(order, firstColumn(a), firstColumn(b));
}

function keyText(line: Buffer): string {
  return unescapeCopy(firstColumn(line)).toString();
}
