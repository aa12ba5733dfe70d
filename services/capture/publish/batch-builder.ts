import { type Lsn, maxLsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import type { RoutedEvent } from '../stream/streamed-table.ts';
import type { CommittedTransaction, TransactionReceiver } from '../stream/transaction-assembler.ts';

/** Events that one manifest record will list: complete transactions only, or a part of exactly one. Never empty. */
export interface Batch {
  readonly events: readonly RoutedEvent[];
  /** Size of the messages that the events came from. */
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
}

class Pile {
  readonly events: RoutedEvent[] = [];
  bytes = 0;
}

/**
 * Groups events into batches. A transaction that fits joins the complete ones before it; one that does not is cut:
 *
 *   complete: T1 T2        open: T3 ......|......|...      -> [T1 T2] [T3 part] [T3 part] [T3 last part]
 *
 * A part is cut only when another event of its transaction is there, so that the last part is never empty.
 */
export class BatchBuilder implements TransactionReceiver {
  readonly #limits: BatchLimits;
  readonly #ready: Batch[] = [];
  #complete = new Pile();
  #transactions = 0;
  #last: CommittedTransaction | null = null;
  #open = new Pile();
  /** Parts of the open transaction were cut already. */
  #cut = false;
  #through: Lsn;
  #waitingBytes = 0;
  #fence: Lsn = ZERO_LSN;
  #taken: Lsn = ZERO_LSN;

  /** `through`: all that commits below it counts already. */
  constructor(limits: BatchLimits, through: Lsn) {
    this.#limits = limits;
    this.#through = through;
  }

  /** All that commits below it was given to this builder, or counted before. */
  get through(): Lsn {
    return this.#through;
  }

  /** Nothing received waits here, complete or open. */
  get empty(): boolean {
    return (
      this.#ready.length === 0 && this.#complete.events.length === 0 && this.#open.events.length === 0 && !this.#cut
    );
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
    return this.#ready.length > 0 || this.#complete.events.length > 0;
  }

  event(event: RoutedEvent, bytes: number): void {
    if (this.#isFull(this.#open)) this.#cutPart(event.event.transaction.xid);
    this.#open.events.push(event);
    this.#open.bytes += bytes;
    this.#waitingBytes += bytes;
  }

  commit(transaction: CommittedTransaction): void {
    if (transaction.fence) this.#fence = transaction.endLsn;
    if (this.#cut) this.#closeParts(transaction);
    else if (this.#open.events.length > 0) this.#join(transaction);
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
    const fits =
      this.#complete.events.length + this.#open.events.length <= this.#limits.events &&
      this.#complete.bytes + this.#open.bytes <= this.#limits.bytes;
    if (!fits) this.#flush();
    if (this.#complete.events.length === 0) this.#complete = this.#open;
    else {
      for (const event of this.#open.events) this.#complete.events.push(event);
      this.#complete.bytes += this.#open.bytes;
    }
    this.#open = new Pile();
    this.#transactions += 1;
    this.#last = transaction;
  }

  #cutPart(xid: number): void {
    this.#flush();
    this.#push(this.#open, { transactions: 0, complete: null, open: { xid }, closes: null, lsn: this.#through });
    this.#open = new Pile();
    this.#cut = true;
  }

  #closeParts(transaction: CommittedTransaction): void {
    const lsn = maxLsn(this.#through, transaction.endLsn);
    this.#push(this.#open, { transactions: 1, complete: transaction, open: null, closes: transaction.xid, lsn });
    this.#open = new Pile();
    this.#cut = false;
  }

  #flush(): void {
    if (this.#complete.events.length === 0) return;
    const transactions = this.#transactions;
    this.#push(this.#complete, { transactions, complete: this.#last, open: null, closes: null, lsn: this.#through });
    this.#complete = new Pile();
    this.#transactions = 0;
    this.#last = null;
  }

  #push({ events, bytes }: Pile, rest: Omit<Batch, 'events' | 'bytes'>): void {
    this.#ready.push({ events, bytes, ...rest });
  }

  #isFull({ events, bytes }: Pile): boolean {
    return events.length >= this.#limits.events || bytes >= this.#limits.bytes;
  }
}
