import {
  type Change,
  type ChangeEvent,
  type ColumnValue,
  type EventTransaction,
  type Truncate,
  type Tuple,
  UNKNOWN,
} from '../../../shared/envelope/change-event.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { formatLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { CommitMessage, PgoutputMessage, Relation } from './pgoutput-message.ts';
import type { RoutedEvent, StreamedTable } from './streamed-table.ts';

/** Prefix of logical messages by which a fence announces itself. Anyone may write one: it only makes a heartbeat early. */
export const FENCE_PREFIX = 'sluice.fence';

/** A committed source transaction, after its last event. */
export interface CommittedTransaction {
  readonly xid: number;
  readonly commitLsn: Lsn;
  readonly endLsn: Lsn;
  readonly commitTime: bigint;
  /** It holds a fence's logical message. */
  readonly fence: boolean;
}

/** Takes what is assembled, in commit order: the events of a transaction, then its commit. */
export interface TransactionReceiver {
  event(event: RoutedEvent, bytes: number): void;
  commit(transaction: CommittedTransaction): void;
}

interface OpenTransaction {
  readonly transaction: EventTransaction;
  ordinal: bigint;
  totalOrder: bigint;
  readonly tableOrders: Map<StreamedTable, bigint>;
  fence: boolean;
}

/** A transaction that is published already and that the source was asked for once more. */
export type KnownTransaction = Pick<CommittedTransaction, 'commitLsn' | 'endLsn' | 'commitTime'>;

/**
 * The table as the stream describes it in this transaction, for the events that follow.
 * @throws SluiceError SOURCE_TABLE_CHANGED, SOURCE_TABLE_RESHAPED
 */
export type ShapeRule = (table: StreamedTable, relation: Relation, transaction: EventTransaction) => StreamedTable;

interface BoundTable {
  readonly table: StreamedTable;
  /** Places of the row key's columns. */
  readonly key: readonly number[];
}

export interface AssemblerOptions {
  /** By oid. */
  readonly tables: ReadonlyMap<number, StreamedTable>;
  /** Of the first event. */
  readonly position: bigint;
  readonly receiver: TransactionReceiver;
  readonly shapeRule: ShapeRule;
}

/**
 * Turns decoded messages into change events with positions and ordinals.
 * A pure function of the WAL, the selection and the position it starts with: sent again, a transaction
 * gets the same positions, which is what makes parts of it comparable between attempts.
 */
export class TransactionAssembler {
  readonly #tables: ReadonlyMap<number, StreamedTable>;
  readonly #receiver: TransactionReceiver;
  readonly #shapeRule: ShapeRule;
  /** By oid: what the stream described and is selected. */
  readonly #bound = new Map<number, BoundTable>();
  #position: bigint;
  #open: OpenTransaction | null = null;
  /** To come first, and to be passed over. */
  #again: KnownTransaction | null = null;
  #passing = false;
  /** Described while passing over: to be looked at when they are used. */
  readonly #described = new Map<number, Relation>();

  constructor({ tables, position, receiver, shapeRule }: AssemblerOptions) {
    this.#tables = tables;
    this.#position = position;
    this.#receiver = receiver;
    this.#shapeRule = shapeRule;
  }

  get inTransaction(): boolean {
    return this.#open !== null || this.#passing;
  }

  /** The first transaction must be this one. */
  expect(again: KnownTransaction): void {
    this.#again = again;
  }

  /** All that commits below `lsn` was sent. @throws SluiceError SOURCE_RESTORED when the expected transaction was not */
  reached(lsn: Lsn): void {
    if (this.#again && !this.#passing && lsn >= this.#again.endLsn)
      throw otherHistory(this.#again, `nothing up to ${formatLsn(lsn)}`);
  }

  /**
   * `lsn`: WAL position of the message; `bytes`: its size.
   * @throws SluiceError SOURCE_TABLE_CHANGED, SOURCE_TABLE_RESHAPED, SOURCE_RESTORED, SOURCE_PROTOCOL
   */
  take(message: PgoutputMessage, lsn: Lsn, bytes: number): void {
    if (this.#again) this.#passOver(this.#again, message);
    else this.#take(message, lsn, bytes);
  }

  #passOver(again: KnownTransaction, message: PgoutputMessage): void {
    if (message.type === 'begin') {
      const same = message.commitLsn === again.commitLsn && message.commitTime === again.commitTime;
      if (!same) throw otherHistory(again, `a transaction that committed at ${formatLsn(message.commitLsn)}`);
      this.#passing = true;
    } else if (message.type === 'relation') {
      this.#described.set(message.relation.oid, message.relation);
    } else if (message.type === 'commit') {
      if (message.endLsn !== again.endLsn) throw otherHistory(again, `one that ends at ${formatLsn(message.endLsn)}`);
      this.#again = null;
      this.#passing = false;
    }
  }

  #take(message: PgoutputMessage, lsn: Lsn, bytes: number): void {
    switch (message.type) {
      case 'begin': {
        if (this.#open) throw outOfOrder('a transaction begins inside another');
        const { xid, commitLsn, commitTime } = message;
        const transaction = { xid, commitLsn, commitTime };
        this.#open = { transaction, ordinal: 0n, totalOrder: 0n, tableOrders: new Map(), fence: false };
        return;
      }
      case 'commit':
        this.#commit(message);
        return;
      case 'relation':
        this.#describe(message.relation);
        return;
      case 'insert':
      case 'update':
      case 'delete':
        this.#change(message, lsn, bytes);
        return;
      case 'truncate':
        this.#truncate(message.relations, message.restartIdentity, lsn, bytes);
        return;
      case 'message':
        if (!message.transactional) return;
        this.#next();
        if (message.prefix === FENCE_PREFIX) this.#transaction().fence = true;
    }
  }

  #describe(relation: Relation): void {
    this.#described.delete(relation.oid);
    const known = this.#tables.get(relation.oid);
    if (!known) return;
    const table = this.#shapeRule(known, relation, this.#transaction().transaction);
    const key = table.shape.columns.flatMap((column, i) => (column.key ? [i] : []));
    this.#bound.set(relation.oid, { table, key });
  }

  #bindingOf(oid: number): BoundTable | undefined {
    const bound = this.#bound.get(oid);
    const described = bound ? undefined : this.#described.get(oid);
    if (!described) return bound;
    this.#describe(described);
    return this.#bound.get(oid);
  }

  #change(message: RowMessage, lsn: Lsn, bytes: number): void {
    this.#next();
    const bound = this.#bindingOf(message.relation.oid);
    if (!bound) return;
    const { table, key } = bound;
    switch (message.type) {
      case 'insert':
        this.#emit(table, { op: 'c', before: null, after: message.after }, { lsn, bytes });
        return;
      case 'delete':
        this.#emit(table, { op: 'd', before: message.before, after: null, moved: false }, { lsn, bytes });
        return;
      case 'update': {
        const { before } = message;
        const after = before ? withKey(message.after, before, key) : message.after;
        const moved = before !== null && key.some((i) => before[i] !== after[i]);
        if (moved) this.#emit(table, { op: 'd', before, after: null, moved: true }, { lsn, bytes: 0 });
        const old = moved || table.shape.identity === 'full' ? before : null;
        this.#emit(table, { op: 'u', before: old, after }, { lsn, bytes });
      }
    }
  }

  /** One event in every partition of every selected table of the statement. */
  #truncate(relations: readonly Pick<Relation, 'oid'>[], restartIdentity: boolean, lsn: Lsn, bytes: number): void {
    this.#next();
    // What is only logged as truncated may not be described yet.
    const tables = relations.flatMap(({ oid }) => this.#bindingOf(oid)?.table ?? this.#tables.get(oid) ?? []);
    const names = tables.map(({ shape }) => ({ schema: shape.schema, name: shape.name }));
    const truncate: Truncate = { tables: names, restartIdentity };
    for (const table of tables) {
      for (let partition = 0; partition < table.partitions; partition++) {
        this.#emit(table, { op: 't', before: null, after: null, truncate }, { lsn, bytes, partition });
      }
    }
  }

  #emit(table: StreamedTable, change: Change, at: { lsn: Lsn; bytes: number; partition?: number }): void {
    const open = this.#transaction();
    const tableOrder = (open.tableOrders.get(table) ?? 0n) + 1n;
    open.tableOrders.set(table, tableOrder);
    open.totalOrder += 1n;
    // One literal with all fields, for every op: this is the hot path, and a spread costs more than all else in it.
    const event = {
      op: change.op,
      before: change.before,
      after: change.after,
      moved: change.op === 'd' && change.moved,
      truncate: change.op === 't' ? change.truncate : null,
      shape: table.shape,
      transaction: open.transaction,
      lsn: at.lsn,
      position: this.#position,
      ordinal: open.ordinal,
      totalOrder: open.totalOrder,
      tableOrder,
    } as ChangeEvent;
    this.#position += 1n;
    this.#receiver.event({ event, table, partition: at.partition ?? null }, at.bytes);
  }

  #commit({ commitLsn, endLsn, commitTime }: CommitMessage): void {
    const { transaction, fence } = this.#transaction();
    if (transaction.commitLsn !== commitLsn) throw outOfOrder('a commit has another LSN than its begin');
    this.#open = null;
    this.#receiver.commit({ xid: transaction.xid, commitLsn, endLsn, commitTime, fence });
  }

  #next(): void {
    this.#transaction().ordinal += 1n;
  }

  #transaction(): OpenTransaction {
    if (!this.#open) throw outOfOrder('a change stands outside of a transaction');
    return this.#open;
  }
}

type RowMessage = Extract<PgoutputMessage, { type: 'insert' | 'update' | 'delete' }>;

/** A TOASTed key value that did not change is left out of the new tuple, but stands in the old one. */
function withKey(after: Tuple, before: Tuple, key: readonly number[]): Tuple {
  if (!key.some((i) => after[i] === UNKNOWN)) return after;
  const filled: ColumnValue[] = [...after];
  for (const i of key) if (filled[i] === UNKNOWN) filled[i] = before[i] ?? null;
  return filled;
}

function otherHistory({ commitLsn, endLsn }: KnownTransaction, found: string): SluiceError {
  const expected = `the transaction that was published last, of commit LSN ${formatLsn(commitLsn)} and end LSN ${formatLsn(endLsn)}`;
  return new SluiceError('SOURCE_RESTORED', `${expected}, is not in the source's WAL: it sent ${found}`);
}

function outOfOrder(why: string): SluiceError {
  return new SluiceError('SOURCE_PROTOCOL', `the replication stream is out of order: ${why}`);
}
