import type { EventTransaction, Truncate } from '../../../shared/envelope/change-event.ts';
import type { OutgoingEvent } from '../../../shared/envelope/outgoing-event.ts';
import type { WireTuple } from '../../../shared/envelope/wire-tuple.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { formatLsn, type Lsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import { type BoundTable, BoundTables, type ShapeRule } from './bound-tables.ts';
import type { BeginMessage, CommitMessage, PgoutputMessage, Relation, UpdateMessage } from './pgoutput-message.ts';
import type { StreamedTable } from './streamed-table.ts';

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
  /** Whether events of the table can be taken now. */
  takes(table: StreamedTable): boolean;
  /** Valid during the call only. `partition` null: by the event's row key. */
  event(event: OutgoingEvent, table: StreamedTable, partition: number | null): void;
  commit(transaction: CommittedTransaction): void;
}

/** Counts that begin anew with every transaction. */
interface OpenTransaction {
  readonly transaction: EventTransaction;
  ordinal: number;
  totalOrder: number;
  fence: boolean;
}

/** The events of one table in the newest transaction that has some. */
interface TableOrder {
  transaction: EventTransaction | null;
  count: number;
}

/** A transaction that is published already and that the source was asked for once more. */
export type KnownTransaction = Pick<CommittedTransaction, 'commitLsn' | 'endLsn' | 'commitTime'>;

/** Positions are numbers: they count from 1, and no task lives for so many events. */
const MOST_POSITION = 2n ** 52n;

const NO_TRANSACTION: EventTransaction = { xid: 0, commitLsn: ZERO_LSN, commitTime: 0n };

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
  readonly #tables: BoundTables;
  readonly #receiver: TransactionReceiver;
  readonly #orders = new Map<StreamedTable, TableOrder>();
  #position: number;
  #open: OpenTransaction | null = null;
  /** To come first, and to be passed over. */
  #again: KnownTransaction | null = null;
  #passing = false;
  /** The one event that is given out. */
  readonly #event: OutgoingEvent = {
    op: 'c',
    before: null,
    after: null,
    moved: false,
    truncate: null,
    transaction: NO_TRANSACTION,
    lsn: 0,
    position: 0,
    ordinal: 0,
    totalOrder: 0,
    tableOrder: 0,
  };

  constructor({ tables, position, receiver, shapeRule }: AssemblerOptions) {
    if (position >= MOST_POSITION) throw new SluiceError('INTERNAL', `position ${position} is beyond what is counted`);
    this.#tables = new BoundTables(tables, shapeRule);
    this.#position = Number(position);
    this.#receiver = receiver;
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
   * `lsn`: WAL position of the message. Gives the table that the receiver does not take yet: then nothing has happened,
   * and the message is to be given again. Else null.
   * @throws SluiceError SOURCE_TABLE_CHANGED, SOURCE_TABLE_RESHAPED, SOURCE_RESTORED, SOURCE_PROTOCOL; what the receiver throws
   */
  take(message: PgoutputMessage, lsn: number | bigint): StreamedTable | null {
    if (!this.#again) return this.#take(message, lsn);
    this.#passOver(this.#again, message);
    return null;
  }

  #passOver(again: KnownTransaction, message: PgoutputMessage): void {
    if (message.type === 'begin') {
      const same = message.commitLsn === again.commitLsn && message.commitTime === again.commitTime;
      if (!same) throw otherHistory(again, `a transaction that committed at ${formatLsn(message.commitLsn)}`);
      this.#passing = true;
    } else if (message.type === 'relation') {
      this.#tables.put(message.relation);
    } else if (message.type === 'commit') {
      if (message.endLsn !== again.endLsn) throw otherHistory(again, `one that ends at ${formatLsn(message.endLsn)}`);
      this.#again = null;
      this.#passing = false;
    }
  }

  #take(message: PgoutputMessage, lsn: number | bigint): StreamedTable | null {
    switch (message.type) {
      case 'begin':
        this.#begin(message);
        return null;
      case 'commit':
        this.#commit(message);
        return null;
      case 'relation':
        this.#tables.describe(message.relation, this.#transaction().transaction);
        return null;
      case 'insert':
      case 'update':
      case 'delete':
        return this.#change(message, lsn);
      case 'truncate':
        return this.#truncate(message.relations, message.restartIdentity, lsn);
      case 'message':
        if (!message.transactional) return null;
        this.#next();
        if (message.prefix === FENCE_PREFIX) this.#transaction().fence = true;
        return null;
      default:
        return null;
    }
  }

  #begin({ xid, commitLsn, commitTime }: BeginMessage): void {
    if (this.#open) throw outOfOrder('a transaction begins inside another');
    const transaction = { xid, commitLsn, commitTime };
    this.#open = { transaction, ordinal: 0, totalOrder: 0, fence: false };
  }

  #change(message: RowMessage, lsn: number | bigint): StreamedTable | null {
    const bound = this.#tables.of(message.relation.oid, this.#transaction().transaction);
    if (bound && !this.#receiver.takes(bound.table)) return bound.table;
    this.#next();
    if (!bound) return null;
    const { table } = bound;
    if (message.type === 'update') this.#update(bound, message, lsn);
    else if (message.type === 'insert') this.#emit('c', { before: null, after: message.after }, table, lsn);
    else this.#emit('d', { before: message.before, after: null }, table, lsn);
    return null;
  }

  /** A key change is a delete in the old key's partition, marked as moved, and an update in the new one's. */
  #update({ table, key }: BoundTable, { before, after }: UpdateMessage, lsn: number | bigint): void {
    if (before === null) {
      this.#emit('u', { before, after }, table, lsn);
      return;
    }
    // A TOASTed key value that did not change is left out of the new tuple, but stands in the old one.
    if (after.hasUnknown) after.fillFrom(before, key);
    const moved = key.some((i) => !before.sameValue(after, i));
    if (moved) this.#emit('d', { before, after: null }, table, lsn, { moved });
    const old = moved || table.shape.identity === 'full' ? before : null;
    this.#emit('u', { before: old, after }, table, lsn);
  }

  /** One event in every partition of every selected table of the statement. */
  #truncate(
    relations: readonly Pick<Relation, 'oid'>[],
    restartIdentity: boolean,
    lsn: number | bigint,
  ): StreamedTable | null {
    const { transaction } = this.#transaction();
    // What is only logged as truncated may not be described yet.
    const tables = relations.flatMap(({ oid }) => this.#tables.selected(oid, transaction) ?? []);
    const untaken = tables.find((table) => !this.#receiver.takes(table));
    if (untaken) return untaken;
    this.#next();
    const names = tables.map(({ shape }) => ({ schema: shape.schema, name: shape.name }));
    const truncate: Truncate = { tables: names, restartIdentity };
    for (const table of tables) {
      for (let partition = 0; partition < table.partitions; partition++) {
        this.#emit('t', { before: null, after: null }, table, lsn, { truncate, partition });
      }
    }
    return null;
  }

  #emit(
    op: OutgoingEvent['op'],
    row: Row,
    table: StreamedTable,
    lsn: number | bigint,
    more: More = NOTHING_MORE,
  ): void {
    const open = this.#transaction();
    open.totalOrder += 1;
    const event = this.#event;
    event.op = op;
    event.before = row.before;
    event.after = row.after;
    event.moved = more.moved ?? false;
    event.truncate = more.truncate ?? null;
    event.transaction = open.transaction;
    event.lsn = lsn;
    event.position = this.#position;
    event.ordinal = open.ordinal;
    event.totalOrder = open.totalOrder;
    event.tableOrder = this.#nextOf(table, open.transaction);
    this.#position += 1;
    this.#receiver.event(event, table, more.partition ?? null);
  }

  #nextOf(table: StreamedTable, transaction: EventTransaction): number {
    let order = this.#orders.get(table);
    if (!order) {
      order = { transaction, count: 0 };
      this.#orders.set(table, order);
    }
    if (order.transaction !== transaction) {
      order.transaction = transaction;
      order.count = 0;
    }
    order.count += 1;
    return order.count;
  }

  #commit({ commitLsn, endLsn, commitTime }: CommitMessage): void {
    const { transaction, fence } = this.#transaction();
    if (transaction.commitLsn !== commitLsn) throw outOfOrder('a commit has another LSN than its begin');
    this.#open = null;
    this.#receiver.commit({ xid: transaction.xid, commitLsn, endLsn, commitTime, fence });
  }

  #next(): void {
    this.#transaction().ordinal += 1;
  }

  #transaction(): OpenTransaction {
    if (!this.#open) throw outOfOrder('a change stands outside of a transaction');
    return this.#open;
  }
}

type RowMessage = Extract<PgoutputMessage, { type: 'insert' | 'update' | 'delete' }>;

interface Row {
  readonly before: WireTuple | null;
  readonly after: WireTuple | null;
}

interface More {
  readonly moved?: boolean;
  readonly truncate?: Truncate;
  readonly partition?: number;
}

const NOTHING_MORE: More = {};

function otherHistory({ commitLsn, endLsn }: KnownTransaction, found: string): SluiceError {
  const expected = `the transaction that was published last, of commit LSN ${formatLsn(commitLsn)} and end LSN ${formatLsn(endLsn)}`;
  return new SluiceError('SOURCE_RESTORED', `${expected}, is not in the source's WAL: it sent ${found}`);
}

function outOfOrder(why: string): SluiceError {
  return new SluiceError('SOURCE_PROTOCOL', `the replication stream is out of order: ${why}`);
}
