import type pg from 'pg';
import { SluiceError } from '../../../shared/errors.ts';
import { formatLsn, type Lsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import type { SinkIdentity } from './tables.ts';

/**
 * The applied position: one row of the destination, changed in the same transaction as the rows it speaks of.
 * Each destination transaction locks it first and finds it as believed, and changes it last. So no transaction of the
 * source is applied twice, whatever became of a COMMIT's answer, and of two sinks of one name only one goes on.
 */
export interface AppliedPosition {
  readonly incarnation: string;
  readonly clusterId: string;
  /** Of the manifest record at `manifestOffset`. */
  readonly epoch: string;
  /** Number of the last batch of which something is applied; 0 before the first. */
  readonly batch: bigint;
  /** Position of the last applied event; always the last of its source transaction. */
  readonly position: bigint;
  /** Newest counted record of which something is applied: the next event stands in it or after it. */
  readonly manifestOffset: bigint;
  /** All that commits below it is applied. */
  readonly lsn: Lsn;
  /** Of the last applied source transaction, in microseconds since 1970. */
  readonly commitTime: bigint | null;
}

/** Counted beside the position, over the life of the sink. */
export interface AppliedCounts {
  readonly events: number;
  readonly transactions: number;
  /** Changes that met other rows than at the source. */
  readonly conflicts: number;
  /** null: the one that is stored stays. */
  readonly lastConflict: StoredConflict | null;
}

/** As it is stored, as JSON. No values of the row. */
export interface StoredConflict {
  readonly kind: string;
  readonly schema: string;
  readonly table: string;
  readonly position: string;
  readonly commitLsn: string;
}

/** In the order of PositionRow. */
const columns = `incarnation, cluster_id, epoch, batch, "position", manifest_offset, lsn,
  (extract(epoch FROM commit_time) * 1000000)::numeric(30) AS commit_time`;

interface PositionRow {
  incarnation: string;
  cluster_id: string;
  epoch: string;
  batch: string;
  position: string;
  manifest_offset: string;
  lsn: string;
  commit_time: string | null;
}

/** Waits for a COMMIT that an earlier attempt sent, and whose answer it did not get, to be done. */
export async function readPosition(client: pg.Client, { task, sink }: SinkIdentity): Promise<AppliedPosition | null> {
  const text = `SELECT ${columns} FROM sluice.position WHERE task = $1 AND sink = $2 FOR UPDATE`;
  const { rows } = await client.query<PositionRow>(text, [task, sink]);
  return rows[0] ? fromRow(rows[0]) : null;
}

export async function createPosition(
  client: pg.Client,
  { task, sink }: SinkIdentity,
  { incarnation, clusterId, epoch, batch, position, manifestOffset, lsn }: AppliedPosition,
): Promise<void> {
  await client.query(
    `INSERT INTO sluice.position (task, sink, incarnation, cluster_id, epoch, batch, "position", manifest_offset, lsn)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [task, sink, incarnation, clusterId, epoch, batch, position, manifestOffset, formatLsn(lsn)],
  );
}

/** A statement with the values of its parameters as text. */
interface PositionStatement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** First statement of a destination transaction; its row is for `checkLocked`. */
export function lockPosition({ task, sink }: SinkIdentity): PositionStatement {
  return {
    text: `SELECT ${columns} FROM sluice.position WHERE task = $1 AND sink = $2 FOR UPDATE`,
    values: [task, sink],
  };
}

/** @throws SluiceError DESTINATION_POSITION_MOVED when the locked row is not as believed, or is not there. */
export function checkLocked(
  { task, sink }: SinkIdentity,
  believed: AppliedPosition,
  row: readonly (string | null)[] | null,
): void {
  const found = row && fromValues(row);
  if (found && isSame(found, believed)) return;
  const where = found ? `at position ${found.position}` : 'gone';
  throw new SluiceError(
    'DESTINATION_POSITION_MOVED',
    `the applied position of sink ${sink} is ${where}, this sink believes it at ${believed.position}`,
    { context: { task, sink, position: believed.position } },
  );
}

/** Last statement of a destination transaction. */
export function writePosition(
  { task, sink }: SinkIdentity,
  { position: next, counts }: { readonly position: AppliedPosition; readonly counts: AppliedCounts },
): PositionStatement {
  const text = (value: bigint | number) => String(value);
  return {
    text: `UPDATE sluice.position SET epoch = $3, batch = $4, "position" = $5, manifest_offset = $6, lsn = $7,
        commit_time = timestamptz 'epoch' + $8::bigint / 1000000 * interval '1 second'
          + $8::bigint % 1000000 * interval '1 microsecond',
        events = events + $9, transactions = transactions + $10, conflicts = conflicts + $11,
        last_conflict = coalesce($12::jsonb, last_conflict), updated_at = now()
      WHERE task = $1 AND sink = $2`,
    values: [
      task,
      sink,
      next.epoch,
      text(next.batch),
      text(next.position),
      text(next.manifestOffset),
      formatLsn(next.lsn),
      next.commitTime === null ? null : text(next.commitTime),
      text(counts.events),
      text(counts.transactions),
      text(counts.conflicts),
      counts.lastConflict === null ? null : JSON.stringify(counts.lastConflict),
    ],
  };
}

function isSame(a: AppliedPosition, b: AppliedPosition): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.clusterId === b.clusterId &&
    a.epoch === b.epoch &&
    a.batch === b.batch &&
    a.position === b.position &&
    a.manifestOffset === b.manifestOffset &&
    a.lsn === b.lsn
  );
}

function fromValues(values: readonly (string | null)[]): AppliedPosition {
  const [incarnation, cluster_id, epoch, batch, position, manifest_offset, lsn, commit_time = null] = values;
  return fromRow({ incarnation, cluster_id, epoch, batch, position, manifest_offset, lsn, commit_time } as PositionRow);
}

function fromRow(row: PositionRow): AppliedPosition {
  return {
    incarnation: row.incarnation,
    clusterId: row.cluster_id,
    epoch: row.epoch,
    batch: BigInt(row.batch),
    position: BigInt(row.position),
    manifestOffset: BigInt(row.manifest_offset),
    lsn: parseLsn(row.lsn),
    commitTime: row.commit_time === null ? null : BigInt(row.commit_time),
  };
}
