import type { OutgoingEvent } from '../../../shared/envelope/outgoing-event.ts';
import type { SealedSegment } from '../../../shared/kafka/interfaces.ts';
import { type Lsn, maxLsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import type { StreamedTable } from '../stream/streamed-table.ts';
import type { CommittedTransaction, TransactionReceiver } from '../stream/transaction-assembler.ts';
import type { Lane } from './lane.ts';
import type { TableLanes } from './table-lanes.ts';

/** Events that one manifest record will list: complete transactions only, or a part of exactly one. Never empty. */
export interface Batch {
  readonly segments: readonly SealedSegment[];
  readonly events: number;
  /** Positions. */
  readonly first: bigint;
  readonly last: bigint;
  /** Of keys and values. */
  readonly bytes: number;
  /** Transactions that are complete with this batch. */
  readonly transactions: number;
  readonly complete: CommittedTransaction | null;
  /** It is a part, and not the last, of this transaction. */
  readonly open: { readonly xid: number } | null;
  /** It is the last of several parts of the transaction with this xid. */
  readonly closes: number | null;
  /** All that commits below it is in this batch or before. */
  readonly lsn: Lsn;
}

export interface BatchLimits {
  readonly events: number;
  readonly bytes: number;
  /** A batch over so many lanes that this comes to more than `bytes` is so large, whatever its events. */
  readonly bytesPerLane: number;
}

/** What of the lanes belongs together. */
interface Pile {
  readonly lanes: Lane[];
  events: number;
  bytes: number;
  first: number | bigint;
  last: number | bigint;
}

/**
 * Groups events into batches, as records in lanes. A transaction that fits joins the complete ones before it; one that
 * does not is cut:
 *
 *   complete: T1 T2        open: T3 ......|......|...      -> [T1 T2] [T3 part] [T3 part] [T3 last part]
 *
 * A part is cut only when another event of its transaction is there, so that the last part is never empty.
 */
export class BatchBuilder implements TransactionReceiver {
  readonly #lanes: Pick<TableLanes, 'has' | 'write'>;
  readonly #limits: BatchLimits;
  readonly #ready: Batch[] = [];
  #complete = emptyPile();
  #transactions = 0;
  #last: CommittedTransaction | null = null;
  #open = emptyPile();
  /** Parts of the open transaction were cut already. */
  #cut = false;
  #through: Lsn;
  #waitingBytes = 0;
  #fence: Lsn = ZERO_LSN;
  #taken: Lsn = ZERO_LSN;

  /** `through`: all that commits below it counts already. */
  constructor(lanes: Pick<TableLanes, 'has' | 'write'>, limits: BatchLimits, through: Lsn) {
    this.#lanes = lanes;
    this.#limits = limits;
    this.#through = through;
  }

  /** All that commits below it was given to this builder, or counted before. */
  get through(): Lsn {
    return this.#through;
  }

  /** Nothing received waits here, complete or open. */
  get empty(): boolean {
    return this.#ready.length === 0 && this.#complete.events === 0 && this.#open.events === 0 && !this.#cut;
  }

  /** Of all that waits here, an open transaction's part included. */
  get bytes(): number {
    return this.#waitingBytes;
  }

  /** A batch is full, or a fence waits: to be published without waiting for more. */
  get urgent(): boolean {
    return this.#ready.length > 0 || this.#fence > this.#taken;
  }

  /** End LSN of the last fence seen. */
  get fence(): Lsn {
    return this.#fence;
  }

  /** Complete transactions or parts wait to be published. */
  get waiting(): boolean {
    return this.#ready.length > 0 || this.#complete.events > 0;
  }

  /** What waits complete lies in very many lanes, and costs hardly less than a full batch of them. */
  get ofMany(): boolean {
    return this.#bytesOfMany(this.#complete.lanes) > 0;
  }

  takes(table: StreamedTable): boolean {
    return this.#lanes.has(table);
  }

  event(event: OutgoingEvent, table: StreamedTable, partition: number | null): void {
    const open = this.#open;
    if (this.#isFull(open)) this.#cutPart(event.transaction.xid);
    const { lane, bytes } = this.#lanes.write(event, table, partition);
    if (!lane.isOpen) {
      lane.isOpen = true;
      open.lanes.push(lane);
    }
    if (open.events === 0) open.first = event.position;
    open.last = event.position;
    open.events += 1;
    open.bytes += bytes;
    this.#waitingBytes += bytes;
  }

  commit(transaction: CommittedTransaction): void {
    if (transaction.fence) this.#fence = transaction.endLsn;
    if (this.#cut) this.#closeParts(transaction);
    else if (this.#open.events > 0) this.#join(transaction);
    this.#through = maxLsn(this.#through, transaction.endLsn);
    if (this.#isFull(this.#complete)) this.#flush();
  }

  /** The server has sent all that commits below `lsn`; to be called outside of transactions only. */
  reached(lsn: Lsn): void {
    this.#through = maxLsn(this.#through, lsn);
  }

  /** The next batch: a full one, else what complete transactions there are; null when there are none. */
  take(): Batch | null {
    if (this.#ready.length === 0) this.#flush();
    const batch = this.#ready.shift() ?? null;
    if (batch) {
      this.#taken = batch.lsn;
      this.#waitingBytes -= batch.bytes;
    }
    return batch;
  }

  #join(transaction: CommittedTransaction): void {
    const open = this.#open;
    if (!this.#fits(open)) this.#flush();
    const complete = this.#complete;
    for (const lane of open.lanes) {
      lane.mark();
      lane.isOpen = false;
      if (lane.isComplete) continue;
      lane.isComplete = true;
      complete.lanes.push(lane);
    }
    if (complete.events === 0) complete.first = open.first;
    complete.last = open.last;
    complete.events += open.events;
    complete.bytes += open.bytes;
    empty(open);
    this.#transactions += 1;
    this.#last = transaction;
  }

  #cutPart(xid: number): void {
    this.#flush();
    this.#pushOpen({ transactions: 0, complete: null, open: { xid }, closes: null, lsn: this.#through });
    this.#cut = true;
  }

  #closeParts(transaction: CommittedTransaction): void {
    const lsn = maxLsn(this.#through, transaction.endLsn);
    this.#pushOpen({ transactions: 1, complete: transaction, open: null, closes: transaction.xid, lsn });
    this.#cut = false;
  }

  #pushOpen(rest: Omit<Batch, 'segments' | 'events' | 'first' | 'last' | 'bytes'>): void {
    const segments = this.#open.lanes.map((lane) => {
      lane.isOpen = false;
      return lane.takeAll();
    });
    this.#ready.push({ segments, ...countsOf(this.#open), ...rest });
    empty(this.#open);
  }

  #flush(): void {
    if (this.#complete.events === 0) return;
    const segments = this.#complete.lanes.map((lane) => {
      lane.isComplete = false;
      return lane.takeMarked();
    });
    const rest = { transactions: this.#transactions, complete: this.#last, open: null, closes: null };
    this.#ready.push({ segments, ...countsOf(this.#complete), ...rest, lsn: this.#through });
    empty(this.#complete);
    this.#transactions = 0;
    this.#last = null;
  }

  #isFull({ events, bytes, lanes }: Pile): boolean {
    const ofMany = this.#bytesOfMany(lanes);
    return ofMany > 0 ? bytes >= ofMany : events >= this.#limits.events || bytes >= this.#limits.bytes;
  }

  #fits(open: Pile): boolean {
    const events = this.#complete.events + open.events;
    const bytes = this.#complete.bytes + open.bytes;
    const ofMany = this.#bytesOfMany(this.#complete.lanes);
    return ofMany > 0 ? bytes <= ofMany : events <= this.#limits.events && bytes <= this.#limits.bytes;
  }

  /** Each lane costs broker and sinks something: a batch over very many of them holds more. 0: they are not so many. */
  #bytesOfMany({ length }: readonly Lane[]): number {
    const bytes = length * this.#limits.bytesPerLane;
    return bytes > this.#limits.bytes ? bytes : 0;
  }
}

function emptyPile(): Pile {
  return { lanes: [], events: 0, bytes: 0, first: 0, last: 0 };
}

function empty(pile: Pile): void {
  pile.lanes.length = 0;
  pile.events = 0;
  pile.bytes = 0;
}

function countsOf({ events, bytes, first, last }: Pile) {
  return { events, bytes, first: BigInt(first), last: BigInt(last) };
}
