import { SluiceError } from '../errors.ts';
import { lsnFromBigint, parseLsn } from '../postgres/lsn.ts';
import { AvroReader } from './avro-binary.ts';
import {
  type ChangeEvent,
  type ColumnValue,
  type EventTransaction,
  type TableShape,
  type Truncate,
  UNKNOWN,
} from './change-event.ts';
import { type ColumnKind, columnKind, readValue } from './column-value.ts';
import { WIRE_HEADER_BYTES } from './event-encoder.ts';

export interface DecodedEvent {
  readonly event: ChangeEvent;
  readonly epoch: string;
  readonly incarnation: string;
  readonly timeline: number;
}

/** What is the same for all events of an attempt, as encoded and as read. */
export interface Attempt {
  readonly bytes: Buffer;
  readonly timeline: number;
  readonly incarnation: string;
  readonly epoch: string;
}

interface KnownTransaction {
  readonly bytes: Buffer;
  readonly transaction: EventTransaction;
}

const UINT64 = 64;
const reader = new AvroReader();

/** Reads the fields of avro-schema.ts in their order; what repeats from event to event is compared, not read again. */
export class EnvelopeDecoder {
  readonly shape: TableShape;
  readonly #kinds: readonly ColumnKind[];
  #attempt: Attempt | null = null;
  #transaction: KnownTransaction | null = null;

  constructor(shape: TableShape) {
    this.shape = shape;
    this.#kinds = shape.columns.map(({ typeOid }) => columnKind(typeOid));
  }

  /** @throws SluiceError SEGMENT_BROKEN */
  decode(value: Buffer): DecodedEvent {
    try {
      reader.start(value, WIRE_HEADER_BYTES);
      const decoded = this.#decode();
      if (reader.at !== value.length) throw new RangeError(`${value.length - reader.at} bytes are left`);
      return decoded;
    } catch (cause) {
      const { schema, name } = this.shape;
      throw new SluiceError('SEGMENT_BROKEN', `an event of ${schema}.${name} cannot be decoded`, { cause });
    }
  }

  #decode(): DecodedEvent {
    const before = this.#readTuple();
    const after = this.#readTuple();
    const { incarnation, epoch, timeline } = this.#readAttempt();
    const transaction = this.#readTransaction();
    const lsn = lsnFromBigint(BigInt.asUintN(UINT64, reader.long()));
    const position = reader.long();
    const ordinal = reader.long();
    this.#markNamed(after, (isNamed) => isNamed);
    if (reader.byte() !== 0) this.#markNamed(before, (isNamed) => !isNamed);
    const moved = reader.boolean();
    const op = reader.string();
    reader.long();
    if (reader.byte() === 0) throw new RangeError('no transaction');
    reader.skipSized();
    const totalOrder = reader.long();
    const tableOrder = reader.long();
    const truncate = reader.byte() === 0 ? null : readTruncate();
    const { shape } = this;
    const base = { shape, transaction, lsn, position, ordinal, totalOrder, tableOrder, op, before, after };
    return { event: checkedChange(base, moved, truncate), epoch, incarnation, timeline };
  }

  #readTuple(): ColumnValue[] | null {
    if (reader.byte() === 0) return null;
    const kinds = this.#kinds;
    const tuple: ColumnValue[] = new Array(kinds.length);
    for (let index = 0; index < kinds.length; index++) {
      tuple[index] = reader.byte() === 0 ? null : readValue(reader, kinds[index]!);
    }
    return tuple;
  }

  #readAttempt(): Attempt {
    if (this.#attempt && reader.accept(this.#attempt.bytes)) return this.#attempt;
    this.#attempt = readAttempt(reader);
    return this.#attempt;
  }

  #readTransaction(): EventTransaction {
    if (this.#transaction && reader.accept(this.#transaction.bytes)) return this.#transaction.transaction;
    const start = reader.at;
    reader.long();
    const commitTime = reader.long();
    const xid = reader.integer();
    const commitLsn = parseLsn(reader.string());
    this.#transaction = { bytes: reader.since(start), transaction: { xid, commitLsn, commitTime } };
    return this.#transaction.transaction;
  }

  /** Reads an array of column names, and makes the columns of `tuple` unknown where `isUnknown`. */
  #markNamed(tuple: ColumnValue[] | null, isUnknown: (isNamed: boolean) => boolean): void {
    const names = readNames();
    if (names.size === 0 && !isUnknown(false)) return;
    if (!tuple) throw new RangeError('columns are named of no row');
    for (const [index, { name }] of this.shape.columns.entries()) {
      if (isUnknown(names.delete(name))) tuple[index] = UNKNOWN;
    }
    if (names.size > 0) throw new RangeError('columns are named that the table does not have');
  }
}

/** version, connector, name, snapshot, db, schema, table */
const LEADING_TEXTS = 7;

export function readAttempt(reader: AvroReader): Attempt {
  const start = reader.at;
  for (let field = 0; field < LEADING_TEXTS; field++) reader.skipSized();
  const timeline = reader.integer();
  const incarnation = reader.string();
  const epoch = reader.string();
  return { bytes: reader.since(start), timeline, incarnation, epoch };
}

const NO_NAMES = new Set<string>();

function readNames(): Set<string> {
  let count = reader.integer();
  if (count === 0) return NO_NAMES;
  const names = new Set<string>();
  for (; count !== 0; count = reader.integer()) {
    for (let index = 0; index < count; index++) names.add(reader.string());
  }
  return names;
}

function readTruncate(): Truncate {
  const tables: { schema: string; name: string }[] = [];
  for (let count = reader.integer(); count !== 0; count = reader.integer()) {
    for (let index = 0; index < count; index++) tables.push({ schema: reader.string(), name: reader.string() });
  }
  return { tables, restartIdentity: reader.boolean() };
}

type Base = Omit<ChangeEvent, 'op' | 'before' | 'after'> & {
  readonly op: string;
  readonly before: ColumnValue[] | null;
  readonly after: ColumnValue[] | null;
};

/** Completes the object in place: a copy of every event would cost as much as reading it. */
function checkedChange(base: Base, moved: boolean, truncate: Truncate | null): ChangeEvent {
  const { op, before, after } = base;
  const complete =
    (op === 'c' && after !== null && before === null) ||
    (op === 'u' && after !== null) ||
    (op === 'd' && after === null && before !== null) ||
    (op === 't' && truncate !== null);
  if (!complete) throw new RangeError(`op ${op} with such rows`);
  const change = base as { moved?: boolean; truncate?: Truncate | null };
  if (op === 'd') change.moved = moved;
  if (op === 't') change.truncate = truncate;
  return base as ChangeEvent;
}
