import * as z from 'zod';
import type { ManifestState } from './fold.ts';
import { epochRecord, int64, lsn, schemaRecord, snapshotIdentity, stoppedRecord, tableName } from './manifest.ts';

/** The folded state as a checkpoint record holds it: all that counts before the record, so that a reader may begin there. */

const tableRead = tableName.extend({
  generation: int64,
  epoch: z.string(),
  state: z.enum(['reading', 'read', 'dropped']),
  chunks: z.number().int().nonnegative(),
  rows: int64,
  snapshot: snapshotIdentity.nullable(),
  upTo: lsn,
});

const partitionEnd = z.object({
  topic: z.string(),
  partition: z.number().int().nonnegative(),
  end: int64,
  epoch: z.string(),
  positions: z.object({ first: int64, last: int64 }).nullable(),
});

const folded = z.object({
  epoch: epochRecord,
  lsn,
  batch: int64,
  position: int64,
  complete: z.object({ position: int64, commitLsn: lsn, endLsn: lsn, commitTime: int64 }),
  open: z.object({ xid: z.number() }).nullable(),
  slot: z.object({ name: z.string(), consistentPoint: lsn.nullable() }).nullable(),
  schema: schemaRecord.nullable(),
  stopped: stoppedRecord.nullable(),
  first: z.object({ offset: int64, epoch: z.string() }),
  transactions: int64,
  firstCommitTime: int64.nullable(),
  earlierTopics: z.array(z.string()),
  reads: z.array(tableRead),
  replacedReads: z.array(tableRead),
  ends: z.array(partitionEnd),
});

export type FoldedState = z.output<typeof folded>;

/** `state` as the next record would hold it. It has an epoch, which the writer began. */
export function checkpointOf(state: ManifestState): z.input<typeof folded> {
  const { earlierTopics, reads, replacedReads, ends, epoch, first, ...rest } = state;
  return z.encode(folded, {
    ...rest,
    epoch: epoch!,
    first: first!,
    earlierTopics: [...earlierTopics],
    reads: [...reads.values()],
    replacedReads: [...replacedReads.values()],
    ends: [...ends.values()],
  });
}

/** null: not of this form. */
export function parseFolded(state: unknown): FoldedState | null {
  const parsed = z.safeDecode(folded, state as z.input<typeof folded>);
  return parsed.success ? parsed.data : null;
}
