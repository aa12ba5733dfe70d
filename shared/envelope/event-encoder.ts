import { SluiceError } from '../errors.ts';
import { formatLsn } from '../postgres/lsn.ts';
import { AvroWriter } from './avro-binary.ts';
import type { ChangeEvent, EventOrigin, EventTransaction, TableShape, Tuple } from './change-event.ts';
import { type ColumnValue, UNKNOWN } from './change-event.ts';
import { type ColumnKind, columnKind, writeValue } from './column-value.ts';

/** Debezium's text for a value that the WAL did not carry. */
export const UNAVAILABLE = '__debezium_unavailable_value';

/** Confluent's wire format: a zero byte and the schema id in four. */
export const WIRE_HEADER_BYTES = 5;

const VERSION = '0.1.0';
const UNAVAILABLE_BYTES = Buffer.from(UNAVAILABLE);
const NULL = 0;
const PRESENT = 2;

export interface EventEncoder {
  /** Value of the event's Kafka record. The event must be of the encoder's table. */
  encode(event: ChangeEvent): Buffer;
}

/** One for all: an event is encoded without a pause. */
const writer = new AvroWriter();

/**
 * Writes the fields of avro-schema.ts in their order. What is the same for all events of an attempt, and for all of a
 * transaction, is encoded once.
 */
export class EnvelopeEncoder implements EventEncoder {
  readonly #shape: TableShape;
  readonly #kinds: readonly ColumnKind[];
  readonly #header: Buffer;
  readonly #attempt: Buffer;
  #transaction: EventTransaction | null = null;
  #transactionSource: Buffer = Buffer.alloc(0);
  #transactionId: Buffer = Buffer.alloc(0);

  constructor(shape: TableShape, schemaId: number, origin: EventOrigin) {
    this.#shape = shape;
    this.#kinds = shape.columns.map(({ typeOid }) => columnKind(typeOid));
    this.#header = Buffer.alloc(WIRE_HEADER_BYTES);
    this.#header.writeUInt32BE(schemaId, 1);
    this.#attempt = encodeAttempt(shape, origin);
  }

  encode(event: ChangeEvent): Buffer {
    if (event.transaction !== this.#transaction) this.#startTransaction(event.transaction);
    writer.start();
    writer.raw(this.#header);
    this.#writeTuple(event.before, writeAbsent);
    this.#writeTuple(event.after, event.before ? writeOldOrUnavailable(event.before) : writeUnavailable);
    this.#writeSource(event);
    writer.string(event.op);
    writer.integer(Date.now());
    writer.byte(PRESENT);
    writer.raw(this.#transactionId);
    writer.long(event.totalOrder);
    writer.long(event.tableOrder);
    writeTruncate(event);
    return writer.finish();
  }

  #startTransaction(transaction: EventTransaction): void {
    const { xid, commitLsn, commitTime } = transaction;
    writer.start();
    writer.integer(Number(commitTime / 1000n));
    writer.long(commitTime);
    writer.integer(xid);
    writer.string(formatLsn(commitLsn));
    this.#transactionSource = writer.finish();
    writer.start();
    writer.string(`${xid}:${commitLsn}`);
    this.#transactionId = writer.finish();
    this.#transaction = transaction;
  }

  #writeTuple(tuple: Tuple | null, writeUnknown: UnknownWriter): void {
    if (tuple === null) {
      writer.byte(NULL);
      return;
    }
    const kinds = this.#kinds;
    if (tuple.length !== kinds.length) throw this.#malformed(`${tuple.length} values for ${kinds.length} columns`);
    writer.byte(PRESENT);
    for (let index = 0; index < kinds.length; index++) {
      const value = tuple[index] as ColumnValue;
      if (value === null) writer.byte(NULL);
      else if (value === UNKNOWN) writeUnknown(index, kinds[index]!);
      else this.#writeValue(index, value);
    }
  }

  #writeValue(index: number, text: string): void {
    writer.byte(PRESENT);
    try {
      writeValue(writer, this.#kinds[index]!, text);
    } catch (cause) {
      const { name, type } = this.#shape.columns[index]!;
      throw this.#malformed(`the text of column ${name} is no ${type}`, cause);
    }
  }

  #writeSource(event: ChangeEvent): void {
    writer.raw(this.#attempt);
    writer.raw(this.#transactionSource);
    writer.long(event.lsn);
    writer.long(event.position);
    writer.long(event.ordinal);
    this.#writeNames(event.after, (value) => value === UNKNOWN);
    if (event.before?.includes(UNKNOWN)) {
      writer.byte(PRESENT);
      this.#writeNames(event.before, (value) => value !== UNKNOWN);
    } else {
      writer.byte(NULL);
    }
    writer.boolean(event.op === 'd' && event.moved);
  }

  /** An array of the names of the columns that are meant. */
  #writeNames(tuple: Tuple | null, isMeant: (value: ColumnValue) => boolean): void {
    const names = tuple?.includes(UNKNOWN) ? this.#shape.columns.filter((_, index) => isMeant(tuple[index]!)) : [];
    if (names.length > 0) {
      writer.integer(names.length);
      for (const { name } of names) writer.string(name);
    }
    writer.integer(0);
  }

  #malformed(why: string, cause?: unknown): SluiceError {
    const { schema, name } = this.#shape;
    return new SluiceError('INTERNAL', `an event of ${schema}.${name} cannot be encoded: ${why}`, { cause });
  }
}

/** Writes a field whose value is not known. */
type UnknownWriter = (index: number, kind: ColumnKind) => void;

function writeAbsent(): void {
  writer.byte(NULL);
}

function writeUnavailable(_index: number, kind: ColumnKind): void {
  if (kind === 'string') {
    writer.byte(PRESENT);
    writer.string(UNAVAILABLE);
  } else if (kind === 'bytes') {
    writer.byte(PRESENT);
    writer.bytes(UNAVAILABLE_BYTES);
  } else {
    writer.byte(NULL);
  }
}

/** Other consumers find the old value, where it is known, in `after` too: it did not change. */
function writeOldOrUnavailable(before: Tuple): UnknownWriter {
  return (index, kind) => {
    const old = before[index];
    if (typeof old !== 'string') {
      writeUnavailable(index, kind);
      return;
    }
    writer.byte(PRESENT);
    writeValue(writer, kind, old);
  };
}

function writeTruncate(event: ChangeEvent): void {
  if (event.op !== 't') {
    writer.byte(NULL);
    return;
  }
  const { tables, restartIdentity } = event.truncate;
  writer.byte(PRESENT);
  if (tables.length > 0) writer.integer(tables.length);
  for (const { schema, name } of tables) {
    writer.string(schema);
    writer.string(name);
  }
  writer.integer(0);
  writer.boolean(restartIdentity);
}

function encodeAttempt(shape: TableShape, { task, incarnation, epoch, database, timeline }: EventOrigin): Buffer {
  const fields = new AvroWriter();
  for (const text of [VERSION, 'postgresql', task, 'false', database, shape.schema, shape.name]) fields.string(text);
  fields.integer(timeline);
  fields.string(incarnation);
  fields.string(epoch);
  return fields.finish();
}
