import type pg from 'pg';
import { postgresFailure, sqlstate } from '../../../shared/postgres/failure.ts';
import { CopyLines } from './copy-lines.ts';
import { mergeTable, type TableDifference } from './merge.ts';
import { type ComparedTable, comparisonSql, rowOrder } from './order.ts';

export type TableComparison = { readonly schema: string; readonly name: string; readonly equal: boolean } & (
  | TableDifference
  /** The table or a column is missing at the destination. */
  | { readonly failed: string }
);

export interface SnapshotPair {
  readonly source: pg.Client;
  readonly destination: pg.Client;
}

export interface CompareProgress {
  readonly tables: number;
  readonly tablesDone: number;
  readonly rows: number;
}

/**
 * Compares every table row by row; as many at once as there are pairs of sessions, all of whose sources and all of
 * whose destinations share one snapshot.
 */
export async function compareEnds(
  pairs: readonly SnapshotPair[],
  tables: readonly ComparedTable[],
  report: (progress: CompareProgress) => void = () => undefined,
): Promise<TableComparison[]> {
  const waiting = [...tables];
  const rows = new Map<ComparedTable, number>();
  const results: TableComparison[] = [];
  const tell = () => {
    const sum = [...rows.values()].reduce((total, one) => total + one, 0);
    report({ tables: tables.length, tablesDone: results.length, rows: sum });
  };
  const work = async (pair: SnapshotPair) => {
    for (let table = waiting.shift(); table; table = waiting.shift()) {
      const current = table;
      const compared = await compareTable(pair, current, (count) => {
        rows.set(current, count);
        tell();
      });
      if ('rows' in compared) rows.set(current, compared.rows.source);
      results.push(compared);
      tell();
    }
  };
  await Promise.all(pairs.map(work));
  return results.sort((a, b) => (a.schema === b.schema ? byText(a.name, b.name) : byText(a.schema, b.schema)));
}

/** A savepoint keeps the snapshot when the destination lacks the table. */
async function compareTable(
  { source, destination }: SnapshotPair,
  table: ComparedTable,
  report: (rows: number) => void,
): Promise<TableComparison> {
  const { schema, name } = table;
  const sql = comparisonSql(table);
  const missing = await missingAtDestination(destination, sql);
  if (missing !== null) return { schema, name, equal: false, failed: missing };
  try {
    const lines = [new CopyLines(source, sql), new CopyLines(destination, sql)] as const;
    const difference = await mergeTable(...lines, rowOrder(table), report);
    const equal = difference.missing + difference.extra + difference.different === 0;
    return { schema, name, equal, ...difference };
  } catch (error) {
    throw postgresFailure(error, { table: `${schema}.${name}` });
  }
}

const UNDEFINED_CLASS = '42';

async function missingAtDestination(destination: pg.Client, copy: string): Promise<string | null> {
  const select = copy.slice('COPY ('.length, copy.lastIndexOf(') TO STDOUT'));
  await destination.query('SAVEPOINT look');
  try {
    await destination.query(`EXPLAIN ${select}`);
    return null;
  } catch (error) {
    if (!sqlstate(error)?.startsWith(UNDEFINED_CLASS)) throw error;
    await destination.query('ROLLBACK TO SAVEPOINT look');
    return `the destination: ${(error as Error).message}`;
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
