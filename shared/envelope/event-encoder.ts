import { SluiceError } from '../errors.ts';
import { GrowingBytes } from '../kafka/growing-bytes.ts';
import { formatLsn } from '../postgres/lsn.ts';
import { AvroWriter, avroBytes } from './avro-binary.ts';
import type { EventOrigin, EventTransaction, TableShape } from './change-event.ts';
import { type ColumnKind, columnKind, writeValue } from './column-value.ts';
import type { OutgoingEvent } from './outgoing-event.ts';
import { NULL as NO_VALUE, TEXT, UNCHANGED, type WireTuple } from './wire-tuple.ts';

/** Debezium's text for a value that the WAL did not carry. */
export const UNAVAILABLE = '__debezium_unavailable_value';

/** Confluent's wire format: a zero byte and the schema id in four. */
export const WIRE_HEADER_BYTES = 5;

const VERSION = '0.1.0';
const UNAVAILABLE_BYTES = Buffer.from(UNAVAILABLE);
const NULL = 0;
const PRESENT = 2;
/** Of an array: no block follows. */
const NO_MORE = 0;
/** Length of an op's text. */
const ONE_CHARACTER = 2;

export interface EventEncoder {
  /**
   * Writes the value of the event's Kafka record. The event must be of the encoder's table.
   * @throws SluiceError SOURCE_ENCODING when a text is not valid UTF-8
   */
  encode(event: OutgoingEvent, out: GrowingBytes): void;
}

/** One for all: an event is encoded without a pause. */
const writer = new AvroWriter();

/** Writes the fields of avro-schema.ts in their order. What is the same for all events of an attempt is encoded once. */
export class EnvelopeEncoder implements EventEncoder {
  readonly #shape: TableShape;
  readonly #kinds: readonly ColumnKind[];
  readonly #header: Buffer;
  readonly #attempt: Buffer;

  constructor(shape: TableShape, schemaId: number, origin: EventOrigin) {
    this.#shape = shape;
    this.#kinds = shape.columns.map(({ typeOid }) => columnKind(typeOid));
    this.#header = Buffer.alloc(WIRE_HEADER_BYTES);
    this.#header.writeUInt32BE(schemaId, 1);
    this.#attempt = encodeAttempt(shape, origin);
  }

  encode(event: OutgoingEvent, out: GrowingBytes): void {
    const { before, after, op } = event;
    if (event.transaction !== newest.transaction) encodeTransaction(event.transaction);
    writer.start(out);
    writer.raw(this.#header);
    if (before === null) writer.byte(NULL);
    else this.#writeBefore(before);
    if (after === null) writer.byte(NULL);
    else this.#writeAfter(after, before);
    writer.raw(this.#attempt);
    writer.written(newest.source);
    writer.long(event.lsn);
    writer.long(event.position);
    writer.long(event.ordinal);
    if (after?.hasUnknown) this.#writeNames(after, true);
    else writer.byte(NO_MORE);
    if (before?.hasUnknown) {
      writer.byte(PRESENT);
      this.#writeNames(before, false);
    } else {
      writer.byte(NULL);
    }
    writer.boolean(event.moved);
    writer.byte(ONE_CHARACTER);
    writer.byte(op.charCodeAt(0));
    writer.integer(Date.now());
    writer.written(newest.id);
    writer.long(event.totalOrder);
    writer.long(event.tableOrder);
    writeTruncate(event);
    writer.end();
  }

  #writeBefore(tuple: WireTuple): void {
    this.#checkLength(tuple);
    writer.byte(PRESENT);
    const { kinds, length } = tuple;
    for (let index = 0; index < length; index++) {
      if (kinds[index] === TEXT) this.#writeText(tuple, index);
      else writer.byte(NULL);
    }
  }

  #writeAfter(tuple: WireTuple, before: WireTuple | null): void {
    this.#checkLength(tuple);
    writer.byte(PRESENT);
    const { kinds, length } = tuple;
    for (let index = 0; index < length; index++) {
      const kind = kinds[index];
      if (kind === TEXT) this.#writeText(tuple, index);
      else if (kind === NO_VALUE) writer.byte(NULL);
      // Other consumers find the old value, where it is known, in `after` too: it did not change.
      else if (before !== null && before.kinds[index] === TEXT) this.#writeText(before, index);
      else writeUnavailable(this.#kinds[index]!);
    }
  }

  #writeText(tuple: WireTuple, index: number): void {
    writer.byte(PRESENT);
    let valid: boolean;
    try {
      valid = writeValue(writer, this.#kinds[index]!, tuple.bytes, tuple.starts[index]!, tuple.ends[index]!);
    } catch (cause) {
      const { name, type } = this.#shape.columns[index]!;
      throw this.#malformed(`the text of column ${name} is no ${type}`, cause);
    }
    if (!valid) throw this.#notUtf8(index);
  }

  /** An array of the names of the columns that are unknown, or of those that are not. */
  #writeNames({ kinds }: WireTuple, unknown: boolean): void {
    const names = this.#shape.columns.filter((_, index) => (kinds[index] === UNCHANGED) === unknown);
    if (names.length > 0) writer.integer(names.length);
    for (const { name } of names) writer.string(name);
    writer.byte(NO_MORE);
  }

  #checkLength({ length }: WireTuple): void {
    if (length !== this.#kinds.length) throw this.#malformed(`${length} values for ${this.#kinds.length} columns`);
  }

  #malformed(why: string, cause?: unknown): SluiceError {
    const { schema, name } = this.#shape;
    return new SluiceError('INTERNAL', `an event of ${schema}.${name} cannot be encoded: ${why}`, { cause });
  }

  #notUtf8(index: number): SluiceError {
    const { schema, name: table, columns } = this.#shape;
    const column = columns[index]!.name;
    const message = `a value of column ${column} of ${schema}.${table} is not valid UTF-8`;
    return new SluiceError('SOURCE_ENCODING', message, { context: { schema, table, column } });
  }
}

function writeUnavailable(kind: ColumnKind): void {
  if (kind !== 'string' && kind !== 'bytes') {
    writer.byte(NULL);
    return;
  }
  writer.byte(PRESENT);
  writer.bytes(UNAVAILABLE_BYTES);
}

function writeTruncate({ truncate }: OutgoingEvent): void {
  if (truncate === null) {
    writer.byte(NULL);
    return;
  }
  const { tables, restartIdentity } = truncate;
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
  return avroBytes((fields) => {
    for (const text of [VERSION, 'postgresql', task, 'false', database, shape.schema, shape.name]) fields.string(text);
    fields.integer(timeline);
    fields.string(incarnation);
    fields.string(epoch);
  });
}

/** What is the same for all events of a transaction, in whatever table: encoded once, in bytes that the next one gets. */
const newest = {
  transaction: null as EventTransaction | null,
  source: new GrowingBytes(256),
  id: new GrowingBytes(256),
};

const fields = new AvroWriter();

function encodeTransaction(transaction: EventTransaction): void {
  const { xid, commitLsn, commitTime } = transaction;
  const micros = Number(commitTime);
  newest.transaction = transaction;
  newest.source.at = 0;
  fields.start(newest.source);
  fields.integer(Math.floor(micros / 1000));
  fields.integer(micros);
  fields.integer(xid);
  fields.string(formatLsn(commitLsn));
  fields.end();
  newest.id.at = 0;
  fields.start(newest.id);
  // The block is there.
  fields.byte(PRESENT);
  fields.string(`${xid}:${commitLsn}`);
  fields.end();
}
