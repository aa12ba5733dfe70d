import * as z from 'zod';
import { SluiceError } from '../errors.ts';

/**
 * A schema object as capture describes it, one JSON record of `<task>.schema-changes`, in creation order.
 * `section` says when a sink creates it:
 *   pre-data      before any row (schemas, types, sequences, tables with defaults, not null, checks, identity as BY DEFAULT)
 *   post-data     after the first reads are loaded (primary keys, unique, exclusion, indexes, checks that are not validated)
 *   foreign-keys  when the applied position has passed every table's read
 *   cutover       at cutover (identity ALWAYS put back, triggers' states, ...)
 */
export const schemaSections = ['pre-data', 'post-data', 'foreign-keys', 'cutover'] as const;
export type SchemaSection = (typeof schemaSections)[number];

const schemaObject = z.object({
  /** Dense, from 0, over the task's objects. */
  number: z.number().int().nonnegative(),
  section: z.enum(schemaSections),
  /** `schema`, `enum`, `domain`, `sequence`, `table`, `constraint`, `index`, `foreign key`, ... */
  kind: z.string(),
  schema: z.string(),
  name: z.string(),
  /** The table that it belongs to, so that a sink of some tables takes only those. */
  table: z.object({ schema: z.string(), name: z.string() }).nullable(),
  /** Statements that need no parameters, complete, every name qualified and quoted; empty when it is left out. */
  sql: z.string(),
  /** Numbers of the objects that have to be there before it; all of them smaller than its own. */
  needs: z.array(z.number().int().nonnegative()).default([]),
  /** As pg_identify_object() names it at the source with an empty search path; null for what is no object of its own. */
  identity: z.object({ type: z.string(), identity: z.string() }).nullable().default(null),
  /** Of a table: its columns in order, types as format_type() writes them with an empty search path. */
  columns: z
    .array(z.object({ name: z.string(), type: z.string() }))
    .nullable()
    .default(null),
  /** Why it cannot be carried, or is not by the task's settings; null: it is carried. */
  leftOut: z.string().nullable().default(null),
});

export type SchemaObject = z.input<typeof schemaObject>;

/** The record: the object and who wrote it. */
const schemaObjectRecord = schemaObject.extend({ incarnation: z.string(), epoch: z.string() });
export type SchemaObjectRecord = z.input<typeof schemaObjectRecord>;

export function encodeSchemaObject(record: SchemaObjectRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** @throws SluiceError SEGMENT_BROKEN */
export function decodeSchemaObject(value: Buffer | null): SchemaObjectRecord {
  try {
    return schemaObjectRecord.parse(JSON.parse((value ?? '').toString()));
  } catch (cause) {
    throw new SluiceError('SEGMENT_BROKEN', 'a record of the schema topic cannot be read', { cause });
  }
}
