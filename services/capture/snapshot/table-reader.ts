import type pg from 'pg';
import { keyColumns as keyColumnsOf } from '../../../shared/envelope/row-key.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import type { SelectedTable } from '../../../shared/task/selected-tables.ts';
import { type BlockRange, planRanges, rangeCondition } from './chunk-plan.ts';
import { type CopyOptions, readCopy } from './copy-reader.ts';
import type { RowChunk } from './row-chunk.ts';

/** What all ranges of one read of a table share, as the snapshot has it. */
export interface TablePlan {
  readonly table: SelectedTable;
  readonly snapshot: string;
  readonly ranges: readonly BlockRange[];
  /** Attribute numbers of the columns that are read, in order. */
  readonly attributes: readonly number[];
}

export type ReadOptions = Omit<CopyOptions, 'table' | 'keyColumns'> & {
  readonly take: (chunk: RowChunk) => Promise<void>;
};

/**
 * Plans a read under the snapshot. What is one range is read at once: the plan that is left has none.
 * @throws SluiceError SOURCE_TABLE_RESHAPED when the snapshot sees other columns than the task was set up with, and
 *   what readRange throws
 */
export async function planTable(
  client: pg.Client,
  table: SelectedTable,
  options: ReadOptions & { readonly snapshot: string; readonly workers: number },
): Promise<TablePlan> {
  return await inSnapshot(client, options.snapshot, async () => {
    const { rows } = await client.query<PlanRow>(planSql, [table.shape.oid]);
    const [row] = rows;
    if (!row) throw changed(table, 'it was not there when the snapshot was taken');
    const size = { blocks: Number(row.blocks), bytes: Number(row.bytes) };
    const ranges = planRanges(size, options.workers, Number(row.version));
    const plan = { table, snapshot: options.snapshot, ranges, attributes: attributesOf(table, row) };
    const [only, more] = ranges;
    if (!only || more) return plan;
    await readRows(client, plan, only, options);
    return { ...plan, ranges: [] };
  });
}

/**
 * Reads one range in a transaction of its own and hands its chunks over.
 * An ALTER that rewrote the table makes an older snapshot read nothing, without an error. So after the COPY, while
 * its lock still keeps others from altering the table, the table as it is now is held against the snapshot's.
 * @throws SluiceError SOURCE_TABLE_REWRITTEN when it was rewritten, SOURCE_TABLE_RESHAPED when it is another table now
 */
export async function readRange(
  client: pg.Client,
  plan: TablePlan,
  range: BlockRange,
  options: ReadOptions,
): Promise<void> {
  await inSnapshot(client, plan.snapshot, () => readRows(client, plan, range, options));
}

async function readRows(client: pg.Client, plan: TablePlan, range: BlockRange, options: ReadOptions): Promise<void> {
  const table = quoteTable(plan.table.shape);
  const keyColumns = keyColumnsOf(plan.table.shape);
  try {
    for await (const chunk of readCopy(client, copySql(plan.table, range), { ...options, table, keyColumns })) {
      await failpoint('capture.in-range');
      await options.take(chunk);
    }
  } catch (error) {
    throw isGone(error) ? changed(plan.table, 'a name that is read is gone', error) : error;
  }
  await checkUnchanged(client, plan);
}

/** Whether a table of this oid is at the source, as it is now. */
export async function tableExists(client: pg.Client, table: SelectedTable): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM pg_class WHERE oid = $1', [table.shape.oid]);
  return rows.length > 0;
}

async function inSnapshot<T>(client: pg.Client, snapshot: string, work: () => Promise<T>): Promise<T> {
  const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
  await client.query(`${begin}; SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`);
  const result = await work();
  await client.query('COMMIT');
  return result;
}

function copySql(table: SelectedTable, range: BlockRange): string {
  const columns = table.shape.columns.map((column) => quoteIdentifier(column.name)).join(', ');
  return `COPY (SELECT ${columns} FROM ONLY ${quoteTable(table.shape)}${rangeCondition(range)}) TO STDOUT`;
}

interface PlanRow {
  columns: string;
  blocks: string;
  bytes: string;
  version: string;
}

interface SnapshotColumn {
  name: string;
  number: number;
  type: string;
  typmod: number;
}

/** The columns as the snapshot has them; the size as it is, null when the table is gone. */
const planSql = `
  SELECT (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'number', a.attnum,
        'type', a.atttypid::text, 'typmod', a.atttypmod)), '[]')
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    coalesce(pg_relation_size(c.oid) / current_setting('block_size')::int, 0) AS blocks,
    coalesce(pg_table_size(c.oid), 0) AS bytes, current_setting('server_version_num') AS version
  FROM pg_class c WHERE c.oid = $1`;

function attributesOf(table: SelectedTable, row: PlanRow): number[] {
  const byName = new Map((JSON.parse(row.columns) as SnapshotColumn[]).map((column) => [column.name, column]));
  return table.shape.columns.map(({ name, typeOid, typmod }) => {
    const column = byName.get(name);
    if (column && Number(column.type) === typeOid && column.typmod === typmod) return column.number;
    throw changed(table, `column ${name} was not yet, or of another type, when the snapshot was taken`);
  });
}

/** pg_class is read as the snapshot has it, pg_relation_filenode() and the parser see what is current. */
async function checkUnchanged(client: pg.Client, plan: TablePlan): Promise<void> {
  const { shape } = plan.table;
  const names = shape.columns.map((column) => quoteIdentifier(column.name));
  const current = await client.query(`SELECT ${names.join(', ')} FROM ONLY ${quoteTable(shape)} LIMIT 0`);
  const same = current.fields.every((field, i) => field.tableID === shape.oid && field.columnID === plan.attributes[i]);
  if (!same) throw changed(plan.table, 'its name or columns name others than before');
  const types = names.map((name) => `, pg_typeof((t.r).${name})::oid`).join('');
  const { rows } = await client.query<(string | null)[]>({
    text: `SELECT (SELECT relfilenode FROM pg_class WHERE oid = $1), pg_relation_filenode($1)${types}
      FROM (SELECT NULL::${quoteTable(shape)} AS r) AS t`,
    values: [shape.oid],
    rowMode: 'array',
  });
  const [fileBefore = null, fileNow, ...typesNow] = rows[0] ?? [];
  const isOther = shape.columns.some(({ typeOid, typmod }, i) => {
    const field = current.fields[i];
    // A column of a domain is described by the type below it.
    return Number(typesNow[i]) !== typeOid || (field?.dataTypeID === typeOid && field.dataTypeModifier !== typmod);
  });
  if (isOther) throw changed(plan.table, 'its columns have other types than before');
  if (fileBefore !== null && fileBefore === fileNow) return;
  throw new SluiceError('SOURCE_TABLE_REWRITTEN', `table ${quoteTable(shape)} was rewritten while it was read`, {
    context: { schema: shape.schema, table: shape.name },
  });
}

/** undefined_table, undefined_column, invalid_schema_name */
function isGone(error: unknown): boolean {
  return ['42P01', '42703', '3F000'].includes(sqlstate(error) ?? '');
}

function changed(table: SelectedTable, detail: string, cause?: unknown): SluiceError {
  const { schema, name } = table.shape;
  return new SluiceError(
    'SOURCE_TABLE_RESHAPED',
    `table ${quoteTable(table.shape)} changed while it was read: ${detail}`,
    {
      context: { schema, table: name },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
