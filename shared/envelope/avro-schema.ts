import * as z from 'zod';
import { SluiceError } from '../errors.ts';
import { avroName } from './avro-names.ts';
import type { TableShape } from './change-event.ts';
import { columnKind } from './column-value.ts';

/**
 * The Avro schema of a table's events: a Debezium envelope, annotated so that the TableShape can be rebuilt from it
 * alone. A schema is read only if it is exactly what this file writes for its own annotations.
 */

export const FORMAT = 1;

const text = 'string';
const optional = (type: unknown) => ['null', type];

/** What is the same for all events of an attempt on a table comes first, then what is the same for a transaction. */
const sourceFields = [
  { name: 'version', type: text },
  { name: 'connector', type: text },
  { name: 'name', type: text, doc: 'the task' },
  { name: 'snapshot', type: text },
  { name: 'db', type: text },
  { name: 'schema', type: text },
  { name: 'table', type: text },
  { name: 'timeline', type: 'int', doc: 'of the source' },
  { name: 'incarnation', type: text, doc: 'of the task' },
  { name: 'epoch', type: text, doc: 'the attempt that wrote this event; the manifest says what of it counts' },
  { name: 'ts_ms', type: 'long', doc: 'commit time' },
  { name: 'ts_us', type: 'long', doc: 'commit time in microseconds since 1970' },
  { name: 'txId', type: 'long', doc: 'transaction id, 32 bits' },
  { name: 'commit_lsn', type: text },
  { name: 'lsn', type: 'long', doc: 'of the change itself' },
  { name: 'position', type: 'long', doc: 'dense over the task, in commit order' },
  { name: 'ordinal', type: 'long', doc: 'count of the messages of its transaction as decoded' },
  {
    name: 'unchanged',
    type: { type: 'array', items: text },
    doc: 'columns of after whose TOASTed value the WAL did not carry',
  },
  {
    name: 'before_columns',
    type: optional({ type: 'array', items: text }),
    default: null,
    doc: 'the columns that before carries, where it is not all',
  },
  { name: 'moved', type: 'boolean', doc: 'a delete of the old key of a key change; an update of the new key follows' },
];

const transactionFields = [
  { name: 'id', type: text },
  { name: 'total_order', type: 'long' },
  { name: 'data_collection_order', type: 'long' },
];

const truncatedTable = {
  type: 'record',
  name: 'TruncatedTable',
  fields: [
    { name: 'schema', type: text },
    { name: 'table', type: text },
  ],
};

const truncateFields = [
  { name: 'tables', type: { type: 'array', items: truncatedTable } },
  { name: 'restart_identity', type: 'boolean' },
];

/** JSON text of the schema. */
export function avroSchema(task: string, shape: TableShape): string {
  return JSON.stringify({
    type: 'record',
    name: 'Envelope',
    namespace: [task, shape.schema, shape.name].map(avroName).join('.'),
    'sluice.format': FORMAT,
    'sluice.task': task,
    fields: [
      { name: 'before', type: optional(valueRecord(shape)), default: null },
      { name: 'after', type: optional('Value'), default: null },
      { name: 'source', type: { type: 'record', name: 'Source', fields: sourceFields } },
      { name: 'op', type: text, doc: 'c create, u update, d delete, t truncate' },
      { name: 'ts_ms', type: 'long', doc: 'when the event was written' },
      {
        name: 'transaction',
        type: optional({ type: 'record', name: 'Block', fields: transactionFields }),
        default: null,
      },
      { name: 'truncate', type: optional({ type: 'record', name: 'Truncate', fields: truncateFields }), default: null },
    ],
  });
}

function valueRecord(shape: TableShape) {
  return {
    type: 'record',
    name: 'Value',
    'pg.schema': shape.schema,
    'pg.table': shape.name,
    'pg.oid': shape.oid,
    'pg.identity': shape.identity,
    fields: shape.columns.map((column) => ({
      name: avroName(column.name),
      type: optional(columnKind(column.typeOid)),
      default: null,
      'pg.column': column.name,
      'pg.type': column.type,
      'pg.oid': column.typeOid,
      'pg.typmod': column.typmod,
      'pg.key': column.key,
    })),
  };
}

const annotated = z.object({
  'sluice.format': z.number(),
  'sluice.task': z.string(),
  fields: z.tuple([z.object({ type: z.tuple([z.literal('null'), z.looseObject({})]) })]).rest(z.unknown()),
});

const annotatedValue = z.object({
  'pg.schema': z.string(),
  'pg.table': z.string(),
  'pg.oid': z.number(),
  'pg.identity': z.enum(['default', 'nothing', 'full', 'index']),
  fields: z.array(
    z.object({
      'pg.column': z.string(),
      'pg.type': z.string(),
      'pg.oid': z.number(),
      'pg.typmod': z.number(),
      'pg.key': z.boolean(),
    }),
  ),
});

/** @throws SluiceError SEGMENT_BROKEN when the schema is none that Sluice writes, or of another format. */
export function shapeOfSchema(schema: string, id: number): TableShape {
  const envelope = annotated.safeParse(parseJson(schema));
  if (!envelope.success) throw notOurs(id, 'is none of Sluice');
  if (envelope.data['sluice.format'] !== FORMAT) {
    throw notOurs(id, `has format ${envelope.data['sluice.format']}, this Sluice reads ${FORMAT}`);
  }
  const value = annotatedValue.safeParse(envelope.data.fields[0].type[1]);
  if (!value.success) throw notOurs(id, 'lacks the annotations of a table');
  const shape: TableShape = {
    schema: value.data['pg.schema'],
    name: value.data['pg.table'],
    oid: value.data['pg.oid'],
    identity: value.data['pg.identity'],
    columns: value.data.fields.map((field) => ({
      name: field['pg.column'],
      typeOid: field['pg.oid'],
      typmod: field['pg.typmod'],
      type: field['pg.type'],
      key: field['pg.key'],
    })),
  };
  if (!sameJson(parseJson(avroSchema(envelope.data['sluice.task'], shape)), parseJson(schema))) {
    throw notOurs(id, 'differs from what its annotations say');
  }
  return shape;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A registry may order attributes anew. */
function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

function notOurs(id: number, why: string): SluiceError {
  return new SluiceError('SEGMENT_BROKEN', `schema ${id} of the registry ${why}`, { context: { schemaId: id } });
}
