import type { TableShape } from '../../../shared/envelope/change-event.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Relation } from './pgoutput-message.ts';

/** A selected table as the stream publishes it. */
export interface StreamedTable {
  readonly shape: TableShape;
  readonly topic: string;
  readonly partitions: number;
}

export function changed(shape: TableShape, difference: string): SluiceError {
  const table = `${shape.schema}.${shape.name}`;
  return new SluiceError('SOURCE_TABLE_CHANGED', `table ${table}: ${difference}`, {
    context: { schema: shape.schema, table: shape.name },
  });
}

/** What the stream says of a table against what its topic and its readers were set up for; null: the same. */
export function differenceOf(shape: TableShape, relation: Relation): string | null {
  if (shape.schema !== relation.schema || shape.name !== relation.name) {
    return `is called ${relation.schema}.${relation.name} now`;
  }
  if (shape.identity !== relation.identity) {
    return `its replica identity is ${relation.identity}, it was ${shape.identity}`;
  }
  if (shape.columns.length !== relation.columns.length) {
    return `has ${relation.columns.length} columns, it had ${shape.columns.length}`;
  }
  for (const [i, column] of relation.columns.entries()) {
    const known = shape.columns[i];
    if (known?.name !== column.name) return `column ${column.name} stands where ${known?.name} was`;
    if (known.typeOid !== column.typeOid || known.typmod !== column.typmod) {
      return `column ${column.name} has another type than ${known.type}`;
    }
    if (keyMatters(shape) && known.key !== column.key) return `column ${column.name} joined or left its key`;
  }
  return null;
}

/** Under FULL and NOTHING the stream does not say which columns are the primary key. */
function keyMatters(shape: TableShape): boolean {
  return shape.identity === 'default' || shape.identity === 'index';
}
