import { SluiceError } from '../errors.ts';
import { AvroReader } from './avro-binary.ts';
import type { ChangeEvent } from './change-event.ts';
import { type Attempt, type EnvelopeDecoder, readAttempt } from './event-decoder.ts';
import { WIRE_HEADER_BYTES } from './event-encoder.ts';
import { type EventPlaces, PackedEvent } from './packed-event.ts';
import { afterSized, afterVarint, RowLayout } from './packed-row.ts';

const EXACT = 2 ** 52;
const reader = new AvroReader();
const ops = new Map<number | undefined, ChangeEvent['op']>(
  (['c', 'u', 'd', 't'] as const).map((op) => [op.charCodeAt(0), op]),
);

/** Which columns a list of names in an event means: the last list seen, as it repeats from event to event. */
interface KnownNames {
  readonly bytes: Buffer;
  readonly columns: Uint8Array;
}

/**
 * Passes over the fields of avro-schema.ts in their order, and keeps where they lie. What EnvelopeDecoder refuses is
 * refused here too, or when the event is unpacked.
 */
export class EventScanner implements EventPlaces {
  readonly decoder: EnvelopeDecoder;
  readonly layout: RowLayout;
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  op: ChangeEvent['op'] = 'c';
  moved = false;
  position = 0;
  commitLsn = 0;
  transactionAt = 0;
  beforeAt = -1;
  afterAt = -1;
  beforeUnknown: Uint8Array | null = null;
  afterUnknown: Uint8Array | null = null;
  /** Of the event scanned last. */
  attempt: Attempt | null = null;
  #attemptView: DataView = new DataView(new ArrayBuffer(0));
  #unchanged: KnownNames | null = null;
  #carried: KnownNames | null = null;
  #at = 0;

  constructor(decoder: EnvelopeDecoder) {
    this.decoder = decoder;
    this.layout = new RowLayout(decoder.shape);
  }

  /** The event in `bytes` from `start` to `end`, header of the wire format included. @throws SluiceError SEGMENT_BROKEN */
  scan(bytes: Buffer, view: DataView, start: number, end: number): PackedEvent {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    try {
      this.#scan(bytes, view);
    } catch (cause) {
      const { schema, name } = this.layout.shape;
      throw new SluiceError('SEGMENT_BROKEN', `an event of ${schema}.${name} cannot be decoded`, { cause });
    }
    return new PackedEvent(this);
  }

  #scan(bytes: Buffer, view: DataView): void {
    this.#at = this.start + WIRE_HEADER_BYTES;
    this.beforeAt = this.#passRow(bytes);
    this.afterAt = this.#passRow(bytes);
    this.#passAttempt(bytes, view);
    this.#passTransaction(bytes);
    this.#at = afterVarint(bytes, this.#at);
    this.position = this.#integer(bytes);
    this.#at = afterVarint(bytes, this.#at);
    this.afterUnknown = this.#passUnchanged(bytes);
    this.beforeUnknown = this.#passCarried(bytes);
    this.moved = bytes[this.#at++] === 1;
    const opBytes = bytes[this.#at];
    const op = ops.get(bytes[this.#at + 1]);
    if (opBytes !== 2 || op === undefined) throw new RangeError('an op of no kind');
    this.op = op;
    let at = afterVarint(bytes, this.#at + 2);
    if (bytes[at] === 0) throw new RangeError('no transaction');
    at = afterSized(bytes, at + 1);
    at = afterVarint(bytes, afterVarint(bytes, at));
    // What a TRUNCATE says more is read when it is unpacked.
    const isWhole = op === 't' ? bytes[at] !== 0 && at < this.end : bytes[at] === 0 && at + 1 === this.end;
    if (!isWhole) throw new RangeError('it ends elsewhere');
    if (!hasItsRows(op, this.beforeAt >= 0, this.afterAt >= 0)) throw new RangeError(`op ${op} with such rows`);
  }

  /** First column of the row that may stand here, or -1. */
  #passRow(bytes: Buffer): number {
    if (bytes[this.#at++] === 0) return -1;
    const start = this.#at;
    this.#at = this.layout.end(bytes, start);
    return start;
  }

  #passAttempt(bytes: Buffer, view: DataView): void {
    const known = this.attempt;
    if (known && sameBytes(view, this.#at, this.#attemptView)) {
      this.#at += known.bytes.length;
      return;
    }
    reader.start(bytes, this.#at);
    const attempt = readAttempt(reader);
    this.attempt = attempt;
    this.#attemptView = new DataView(attempt.bytes.buffer, attempt.bytes.byteOffset, attempt.bytes.length);
    this.#at = reader.at;
  }

  #passTransaction(bytes: Buffer): void {
    this.transactionAt = this.#at;
    const lsnAt = afterVarint(bytes, afterVarint(bytes, afterVarint(bytes, this.#at)));
    this.#at = afterSized(bytes, lsnAt);
    this.commitLsn = lsnNumber(bytes, lsnAt + 1, this.#at);
  }

  #integer(bytes: Buffer): number {
    const end = afterVarint(bytes, this.#at);
    let value = 0;
    for (let at = end - 1; at >= this.#at; at--) value = value * 0x80 + ((bytes[at] as number) & 0x7f);
    this.#at = end;
    if (!(value < EXACT * 2) || value % 2 !== 0) throw new RangeError('a position beyond 2^52, or below zero');
    return value / 2;
  }

  #passUnchanged(bytes: Buffer): Uint8Array | null {
    if (bytes[this.#at] === 0) {
      this.#at += 1;
      return null;
    }
    if (this.afterAt < 0) throw new RangeError('columns are named of no row');
    this.#unchanged = this.#passNames(bytes, this.#unchanged, 1);
    return this.#unchanged.columns;
  }

  #passCarried(bytes: Buffer): Uint8Array | null {
    if (bytes[this.#at++] === 0) return null;
    if (this.beforeAt < 0) throw new RangeError('columns are named of no row');
    this.#carried = this.#passNames(bytes, this.#carried, 0);
    return this.#carried.columns;
  }

  /** An array of column names: they get `named`, the others the contrary. */
  #passNames(bytes: Buffer, known: KnownNames | null, named: 0 | 1): KnownNames {
    if (known && startsWith(bytes, this.#at, known.bytes)) {
      this.#at += known.bytes.length;
      return known;
    }
    reader.start(bytes, this.#at);
    const columns = new Uint8Array(this.layout.kinds.length).fill(1 - named);
    for (let count = reader.integer(); count !== 0; count = reader.integer()) {
      for (let index = 0; index < count; index++) {
        const name = reader.string();
        const column = this.layout.shape.columns.findIndex((each) => each.name === name);
        if (column < 0 || columns[column] === named)
          throw new RangeError('columns are named that the table does not have');
        columns[column] = named;
      }
    }
    const start = this.#at;
    this.#at = reader.at;
    return { bytes: Buffer.from(bytes.subarray(start, this.#at)), columns };
  }
}

function hasItsRows(op: ChangeEvent['op'], before: boolean, after: boolean): boolean {
  if (op === 'c') return after && !before;
  if (op === 'u') return after;
  return op === 't' || (before && !after);
}

/** `0/16B3748`, as exactly as a number holds it. */
function lsnNumber(bytes: Buffer, from: number, until: number): number {
  let high = 0;
  let value = 0;
  let slashes = 0;
  for (let at = from; at < until; at++) {
    const code = bytes[at] as number;
    if (code === 0x2f) {
      high = value;
      value = 0;
      slashes += 1;
    } else {
      value = value * 16 + hexDigit(code);
    }
  }
  if (slashes !== 1 || until > from + MOST_LSN_TEXT) throw new RangeError('not an LSN');
  return high * 2 ** 32 + value;
}

const MOST_LSN_TEXT = 17;

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  if (letter >= 0x61 && letter <= 0x66) return letter - 0x57;
  throw new RangeError('not an LSN');
}

/** By four bytes at a time: a native call for so few costs more. */
function sameBytes(view: DataView, at: number, known: DataView): boolean {
  const { byteLength } = known;
  if (at + byteLength > view.byteLength) return false;
  let index = 0;
  for (; index + 4 <= byteLength; index += 4) {
    if (view.getInt32(at + index) !== known.getInt32(index)) return false;
  }
  for (; index < byteLength; index++) if (view.getUint8(at + index) !== known.getUint8(index)) return false;
  return true;
}

function startsWith(bytes: Buffer, at: number, known: Buffer): boolean {
  for (let index = 0; index < known.length; index++) if (bytes[at + index] !== known[index]) return false;
  return true;
}
