import * as z from 'zod';
import { SluiceError } from '../errors.ts';
import { formatLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';
import { decodeFrequent, encodeFrequent } from './frequent-records.ts';

/**
 * The records of `<task>.manifest`, one JSON object each. What counts of them is decided in fold.ts alone.
 * 64-bit numbers are decimal strings, LSNs PostgreSQL's text; in memory both are bigint.
 */

export const int64 = z.codec(z.string().regex(/^\d+$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
});

export const lsn = z.codec(
  z.string(),
  z.custom<Lsn>((value) => typeof value === 'bigint'),
  {
    decode: (text, context) => {
      try {
        return parseLsn(text);
      } catch {
        context.issues.push({ code: 'custom', message: 'not an LSN', input: text });
        return z.NEVER;
      }
    },
    encode: (value) => formatLsn(value),
  },
);

export const tableName = z.object({ schema: z.string(), name: z.string() });

/** `count` records of one topic-partition from `offset` on, without a gap; crc32c over key and value bytes of each in order. */
const segment = z.object({
  topic: z.string(),
  partition: z.number().int().nonnegative(),
  offset: int64,
  count: z.number().int().positive(),
  crc32c: z.number().int().nonnegative(),
});

/** What stands in every record. */
const header = {
  incarnation: z.string(),
  epoch: z.string(),
  /** The offset that the writer expects this record to stand at. */
  at: int64,
  /** All that commits below it is in this record or before. */
  lsn,
  /** Offset of the newest checkpoint before this record; absent before the first, and from writers that made none. */
  checkpoint: int64.optional(),
};

/** Visibility of an ordinary snapshot, as pg_current_snapshot() gives it; transaction ids with their wrap-around epoch. */
const visibility = z.object({ xmin: int64, xmax: int64, running: z.array(int64) });

export const snapshotIdentity = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('slot'), consistentPoint: lsn }),
  z.object({ kind: z.literal('ordinary'), visibility }),
]);

export const epochRecord = z.object({
  kind: z.literal('epoch'),
  ...header,
  task: z.string(),
  definition: z.object({
    hash: z.string(),
    /** Migration types that the task runs. */
    types: z.array(z.enum(['schema', 'full', 'incremental'])),
  }),
  source: z.object({
    systemIdentifier: z.string(),
    timeline: z.number().int(),
    database: z.string(),
    serverVersion: z.number().int(),
  }),
  slot: z.string(),
  publication: z.string(),
  /** pgoutput options of START_REPLICATION. */
  options: z.record(z.string(), z.string()),
  /** Selected tables (leaves of partitioned ones), each with its topic. */
  tables: z.array(
    tableName.extend({
      oid: z.number(),
      topic: z.string(),
      partitions: z.number().int(),
      /** Digest of columns, types, key and replica identity, for capture to see that they are still the same. */
      shape: z.string(),
      /** The same without the types. */
      names: z.string().optional(),
      /** Types of columns changed since the schema was published, before the table was read. */
      reshaped: z.boolean().optional(),
    }),
  ),
  /** Replica identities as they were before Sluice changed them, for release to put back. */
  replicaIdentities: z.array(tableName.extend({ was: z.enum(['d', 'n', 'i', 'f']), index: z.string().nullable() })),
  startedAt: z.string(),
  host: z.string(),
  pid: z.number().int(),
});

/** Schema objects as read for the task's start, on `<task>.schema-changes`. */
export const schemaRecord = z.object({
  kind: z.literal('schema'),
  ...header,
  objects: z.number().int(),
  segments: z.array(segment),
});

/** Capture stopped for a reason that needs an operator; information for status, it changes nothing. */
export const stoppedRecord = z.object({
  kind: z.literal('stopped'),
  ...header,
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
});

export const manifestRecord = z.discriminatedUnion('kind', [
  epochRecord,
  /** Without a consistent point: about to be created. With it: created. */
  z.object({ kind: z.literal('slot'), ...header, slot: z.string(), consistentPoint: lsn.nullable() }),
  /**
   * Either complete source transactions only, or a part of exactly one.
   * `open`: the part is not the last. `closes`: the xid of the open transaction whose last part this is.
   */
  z.object({
    kind: z.literal('batch'),
    ...header,
    batch: int64,
    first: int64,
    last: int64,
    transactions: z.number().int().nonnegative(),
    /** The last complete source transaction in it; null in a part that is not the last. Commit time in microseconds since 1970. */
    complete: z.object({ xid: z.number(), commitLsn: lsn, endLsn: lsn, commitTime: int64 }).nullable(),
    open: z.object({ xid: z.number() }).nullable(),
    closes: z.number().nullable(),
    /** Of keys and values, over all segments. */
    bytes: z.number().int().nonnegative(),
    segments: z.array(segment),
  }),
  z.object({ kind: z.literal('heartbeat'), ...header }),
  schemaRecord,
  /** A read of a table begins; its offset is the generation. Voids what was read of the table before. */
  z.object({
    kind: z.literal('reload'),
    ...header,
    table: tableName,
    /** Where types changed since the schema was published: the columns that are read, with format_type()'s types. */
    columns: z.array(z.object({ name: z.string(), type: z.string() })).optional(),
  }),
  /** Some chunks of a read, published; a sink may load them at once. */
  z.object({
    kind: z.literal('chunks'),
    ...header,
    table: tableName,
    generation: int64,
    chunks: z.number().int().positive(),
    rows: int64,
    segments: z.array(segment),
  }),
  /** The read is complete: totals of its chunks records. `upTo`: the source's WAL position when it ended. */
  z.object({
    kind: z.literal('read'),
    ...header,
    table: tableName,
    generation: int64,
    snapshot: snapshotIdentity,
    chunks: z.number().int().nonnegative(),
    rows: int64,
    upTo: lsn,
  }),
  /** The table was dropped at the source while it was read. */
  z.object({ kind: z.literal('dropped'), ...header, table: tableName, generation: int64 }),
  stoppedRecord,
  /** All that counts before it, folded (checkpoint.ts): a reader may begin here. `checkpoint` names the one before it. */
  z.object({ kind: z.literal('checkpoint'), ...header, state: z.record(z.string(), z.unknown()) }),
]);

export type ManifestRecord = z.output<typeof manifestRecord>;
export type ManifestKind = ManifestRecord['kind'];
export type RecordOf<K extends ManifestKind> = Extract<ManifestRecord, { kind: K }>;
export type Segment = z.output<typeof segment>;
export type SnapshotIdentity = z.output<typeof snapshotIdentity>;
export type Visibility = z.output<typeof visibility>;

export function encodeManifestRecord(record: ManifestRecord): Buffer {
  const text = record.kind === 'batch' || record.kind === 'heartbeat' ? encodeFrequent(record) : null;
  return Buffer.from(text ?? JSON.stringify(z.encode(manifestRecord, record)));
}

/** @throws SluiceError MANIFEST_BROKEN when the bytes are not a record of this form. */
export function decodeManifestRecord(value: Buffer | null, offset: bigint): ManifestRecord {
  try {
    const parsed: unknown = JSON.parse((value ?? '').toString());
    return decodeFrequent(parsed) ?? z.decode(manifestRecord, parsed as z.input<typeof manifestRecord>);
  } catch (cause) {
    throw new SluiceError('MANIFEST_BROKEN', `the manifest record at offset ${offset} cannot be read`, {
      context: { offset },
      cause,
    });
  }
}
