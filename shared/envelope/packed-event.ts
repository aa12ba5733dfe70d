import { type Lsn, parseLsn } from '../postgres/lsn.ts';
import { AvroReader } from './avro-binary.ts';
import type { ChangeEvent, EventTransaction, TableShape } from './change-event.ts';
import type { EnvelopeDecoder } from './event-decoder.ts';
import { PackedRow, type RowLayout } from './packed-row.ts';

/** Where the parts of an event lie, and what was read of it already. */
export interface EventPlaces {
  readonly decoder: EnvelopeDecoder;
  readonly layout: RowLayout;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly op: ChangeEvent['op'];
  /** Of a delete: it marks the old key of a key change. */
  readonly moved: boolean;
  /** Exact: one above 2^52 is refused. */
  readonly position: number;
  /** Exact below 2^56, since commit records stand at multiples of eight. */
  readonly commitLsn: number;
  readonly transactionAt: number;
  /** First column of the row; -1: there is none. */
  readonly beforeAt: number;
  readonly afterAt: number;
  /** 1 for each column that nobody knows; null: all are known. */
  readonly beforeUnknown: Uint8Array | null;
  readonly afterUnknown: Uint8Array | null;
}

const reader = new AvroReader();

/**
 * A change event as it lies in its record: read is what order and folding ask of every event, the rest when it is asked
 * for. Most rows never become values in JavaScript: their bytes go from the record into a statement.
 */
export class PackedEvent {
  readonly op: ChangeEvent['op'];
  readonly moved: boolean;
  readonly position: number;
  readonly commitLsn: number;
  readonly #decoder: EnvelopeDecoder;
  readonly #layout: RowLayout;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #transactionAt: number;
  readonly #beforeAt: number;
  readonly #afterAt: number;
  readonly #beforeUnknown: Uint8Array | null;
  readonly #afterUnknown: Uint8Array | null;

  constructor(places: EventPlaces) {
    this.op = places.op;
    this.moved = places.moved;
    this.position = places.position;
    this.commitLsn = places.commitLsn;
    this.#decoder = places.decoder;
    this.#layout = places.layout;
    this.#bytes = places.bytes;
    this.#start = places.start;
    this.#end = places.end;
    this.#transactionAt = places.transactionAt;
    this.#beforeAt = places.beforeAt;
    this.#afterAt = places.afterAt;
    this.#beforeUnknown = places.beforeUnknown;
    this.#afterUnknown = places.afterUnknown;
  }

  /** The same object for all events of a schema. */
  get shape(): TableShape {
    return this.#layout.shape;
  }

  /** Bytes of the record's value. */
  get size(): number {
    return this.#end - this.#start;
  }

  get before(): PackedRow | null {
    if (this.#beforeAt < 0) return null;
    return new PackedRow(this.#bytes, this.#beforeAt, this.#layout, this.#beforeUnknown);
  }

  get after(): PackedRow | null {
    if (this.#afterAt < 0) return null;
    return new PackedRow(this.#bytes, this.#afterAt, this.#layout, this.#afterUnknown);
  }

  get transaction(): EventTransaction {
    reader.start(this.#bytes, this.#transactionAt);
    reader.long();
    const commitTime = reader.long();
    const xid = reader.integer();
    return { xid, commitLsn: parseLsn(reader.string()) as Lsn, commitTime };
  }

  /** All of it. @throws SluiceError SEGMENT_BROKEN */
  unpack(): ChangeEvent {
    return this.#decoder.decode(this.#bytes.subarray(this.#start, this.#end)).event;
  }
}
