import type pg from 'pg';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import { readTableSelection } from '../../../shared/task/selected-tables.ts';
import { tableFilter } from '../../../shared/task/selection.ts';
import type { Task } from '../../../shared/task/task.ts';
import type { ComparedTable } from './order.ts';

const SHORTEST_FLOATS = 120_000;

/** The tables that the sink takes, largest first; generated columns are left to the types that made them. */
export async function comparedTables(source: pg.Client, destination: pg.Client, task: Task): Promise<ComparedTable[]> {
  const { tables } = await readTableSelection(source, task.selection);
  const takes = task.sink.tables === null ? () => true : tableFilter(task.sink.tables);
  const [from, to] = [await serverVersion(source), await serverVersion(destination)];
  const floatsAsBytes = from < SHORTEST_FLOATS !== to < SHORTEST_FLOATS;
  return tables
    .filter(({ shape, partitionRoot }) => takes(partitionRoot ? [shape, partitionRoot] : [shape]))
    .sort((a, b) => b.approximateBytes - a.approximateBytes)
    .map(({ shape: { schema, name, columns } }) => ({
      schema,
      name,
      columns: columns.map((column) => ({
        name: column.name,
        type: column.type.replace(/\(.*\)/, ''),
        key: column.key,
      })),
      floatsAsBytes,
    }));
}
