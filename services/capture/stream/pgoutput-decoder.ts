import { constants as buffer, isAscii, isUtf8 } from 'node:buffer';
import { type ColumnValue, type Tuple, UNKNOWN } from '../../../shared/envelope/change-event.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';
import type { PgoutputMessage, Relation, RelationColumn } from './pgoutput-message.ts';

/** Microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01. */
const POSTGRES_EPOCH = 946_684_800_000_000n;

/** Larger messages are not made a text as a whole, of which their values would be slices. */
const WHOLE_BYTES = 1024 * 1024;

const identities = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const;

/**
 * Decodes pgoutput messages of protocol version 1, text format. It remembers the relations that the server
 * described: pgoutput does so before their first change in a session and after each change of shape.
 * Every value is copied out of the bytes, which the socket's buffer may reuse.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgoutputDecoder {
  readonly #relations = new Map<number, Relation>();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The bytes from #asciiFrom on as text, when all of them are ASCII: its slices are the values. */
  #ascii: string | null = null;
  #asciiFrom = 0;

  /**
   * The message that fills `bytes` from `start` to the end.
   * @throws SluiceError SOURCE_PROTOCOL, SOURCE_ENCODING
   */
  decode(bytes: Buffer, start = 0): PgoutputMessage {
    this.#bytes = bytes;
    this.#at = start + 1;
    this.#ascii = null;
    const message = this.#message(bytes[start]);
    if (this.#at !== bytes.length) throw malformed(`${bytes.length - this.#at} bytes follow it`, bytes[start]);
    return message;
  }

  #message(kind: number | undefined): PgoutputMessage {
    switch (kind) {
      case 0x49: // I
        return this.#insert();
      case 0x55: // U
        return this.#update();
      case 0x44: // D
        return this.#delete();
      case 0x42: // B
        return { type: 'begin', commitLsn: this.#lsn(), commitTime: this.#time(), xid: this.#uint32() };
      case 0x43: // C
        this.#skip(1);
        return { type: 'commit', commitLsn: this.#lsn(), endLsn: this.#lsn(), commitTime: this.#time() };
      case 0x52: // R
        return { type: 'relation', relation: this.#relation() };
      case 0x54: // T
        return this.#truncate();
      case 0x4d: // M
        return this.#logicalMessage();
      case 0x4f: // O
        this.#skip(8);
        this.#name();
        return { type: 'origin' };
      case 0x59: // Y
        this.#skip(4);
        this.#name();
        this.#name();
        return { type: 'type' };
      default:
        throw malformed('its kind is unknown', kind);
    }
  }

  #insert(): PgoutputMessage {
    const relation = this.#changed();
    this.#expect(0x4e); // N
    return { type: 'insert', relation, after: this.#tuple(relation) };
  }

  #update(): PgoutputMessage {
    const relation = this.#changed();
    let before: Tuple | null = null;
    let kind = this.#byte();
    if (kind === 0x4b || kind === 0x4f) {
      before = this.#oldTuple(relation, kind);
      kind = this.#byte();
    }
    if (kind !== 0x4e) throw malformed('the new tuple is missing', 0x55);
    return { type: 'update', relation, before, after: this.#tuple(relation) };
  }

  #delete(): PgoutputMessage {
    const relation = this.#changed();
    const kind = this.#byte();
    if (kind !== 0x4b && kind !== 0x4f) throw malformed('the old tuple is missing', 0x44);
    return { type: 'delete', relation, before: this.#oldTuple(relation, kind) };
  }

  #truncate(): PgoutputMessage {
    const count = this.#uint32();
    const flags = this.#byte();
    const relations: Relation[] = [];
    for (let i = 0; i < count; i++) relations.push(this.#known(this.#uint32()));
    return { type: 'truncate', relations, restartIdentity: (flags & 2) !== 0 };
  }

  #logicalMessage(): PgoutputMessage {
    const transactional = (this.#byte() & 1) !== 0;
    const lsn = this.#lsn();
    const prefix = this.#name();
    this.#skip(this.#uint32());
    return { type: 'message', transactional, lsn, prefix };
  }

  #relation(): Relation {
    const oid = this.#uint32();
    const schema = this.#name() || 'pg_catalog';
    const name = this.#name();
    const identity = identities[String.fromCharCode(this.#byte()) as keyof typeof identities];
    if (!identity) throw malformed('its replica identity is unknown', 0x52);
    const count = this.#uint16();
    const columns: RelationColumn[] = [];
    for (let i = 0; i < count; i++) columns.push(this.#column());
    const relation = { oid, schema, name, identity, columns };
    this.#relations.set(oid, relation);
    return relation;
  }

  #column(): RelationColumn {
    const key = (this.#byte() & 1) !== 0;
    return { key, name: this.#name(), typeOid: this.#uint32(), typmod: this.#uint32() | 0 };
  }

  /** The relation of a change; from here on the message holds tuples only. */
  #changed(): Relation {
    const relation = this.#known(this.#uint32());
    const tuples = this.#bytes.subarray(this.#at);
    if (tuples.length <= WHOLE_BYTES && isAscii(tuples)) {
      this.#ascii = tuples.toString('latin1');
      this.#asciiFrom = this.#at;
    }
    return relation;
  }

  #known(oid: number): Relation {
    const relation = this.#relations.get(oid);
    if (!relation) throw malformed(`relation ${oid} was not described before`, this.#bytes[0]);
    return relation;
  }

  /** A key-only tuple (K) has NULL where nothing is known: columns outside the replica identity. */
  #oldTuple(relation: Relation, kind: number): Tuple {
    const values = this.#tuple(relation);
    if (kind === 0x4b) {
      for (let i = 0; i < values.length; i++) if (!relation.columns[i]?.key) values[i] = UNKNOWN;
    }
    return values;
  }

  #tuple(relation: Relation): ColumnValue[] {
    const count = this.#uint16();
    if (count !== relation.columns.length) {
      throw malformed(`a tuple of ${relation.schema}.${relation.name} has ${count} columns`, this.#bytes[0]);
    }
    const values = new Array<ColumnValue>(count);
    for (let i = 0; i < count; i++) values[i] = this.#value(relation, i);
    return values;
  }

  #value(relation: Relation, column: number): ColumnValue {
    switch (this.#byte()) {
      case 0x74: {
        // t
        const length = this.#uint32();
        const from = this.#at;
        this.#skip(length);
        if (this.#ascii !== null) return this.#ascii.slice(from - this.#asciiFrom, this.#at - this.#asciiFrom);
        if (length > WHOLE_BYTES) return this.#large(relation, column, from);
        return this.#utf8(from, this.#at) ?? invalidUtf8(relation, column);
      }
      case 0x6e: // n
        return null;
      case 0x75: // u
        return UNKNOWN;
      default:
        throw malformed('a value has an unknown form', this.#bytes[0]);
    }
  }

  /** The value from `from` to here. ASCII takes one byte a character, outside of the heap. */
  #large(relation: Relation, column: number, from: number): string {
    const bytes = this.#bytes.subarray(from, this.#at);
    if (bytes.length > buffer.MAX_STRING_LENGTH) throw tooLarge(relation, column, bytes.length);
    if (isAscii(bytes)) return bytes.toString('latin1');
    return this.#utf8(from, this.#at) ?? invalidUtf8(relation, column);
  }

  /** null when the bytes are not valid UTF-8. Node writes U+FFFD for those, which may also stand there rightly. */
  #utf8(from: number, to: number): string | null {
    const text = this.#bytes.toString('utf8', from, to);
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(from, to))) return null;
    return text;
  }

  #name(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw malformed('a name does not end', this.#bytes[0]);
    const text = this.#utf8(this.#at, end);
    if (text === null) throw new SluiceError('SOURCE_ENCODING', 'a name in the stream is not valid UTF-8');
    this.#at = end + 1;
    return text;
  }

  #lsn(): Lsn {
    const from = this.#at;
    this.#skip(8);
    return this.#bytes.readBigUInt64BE(from) as Lsn;
  }

  #time(): bigint {
    const from = this.#at;
    this.#skip(8);
    return this.#bytes.readBigInt64BE(from) + POSTGRES_EPOCH;
  }

  #uint32(): number {
    const from = this.#at;
    this.#skip(4);
    return this.#bytes.readUInt32BE(from);
  }

  #uint16(): number {
    const from = this.#at;
    this.#skip(2);
    return this.#bytes.readUInt16BE(from);
  }

  #byte(): number {
    const from = this.#at;
    this.#skip(1);
    return this.#bytes[from] as number;
  }

  #expect(kind: number): void {
    if (this.#byte() !== kind) throw malformed('the new tuple is missing', this.#bytes[0]);
  }

  #skip(length: number): void {
    this.#at += length;
    if (this.#at > this.#bytes.length) throw malformed('it ends too early', this.#bytes[0]);
  }
}

function malformed(why: string, kind: number | undefined): SluiceError {
  const name = kind === undefined ? 'nothing' : JSON.stringify(String.fromCharCode(kind));
  return new SluiceError('SOURCE_PROTOCOL', `a pgoutput message (${name}) cannot be read: ${why}`);
}

function tooLarge(relation: Relation, column: number, bytes: number): SluiceError {
  const name = relation.columns[column]?.name ?? '';
  return new SluiceError(
    'KAFKA_RECORD_TOO_LARGE',
    `a value of column ${name} of ${relation.schema}.${relation.name} has ${bytes} bytes as text, more than can be carried`,
    {
      context: { schema: relation.schema, table: relation.name, column: name, bytes },
      remedy: 'Leave the table out of the task; no setting allows a value of this size.',
    },
  );
}

function invalidUtf8(relation: Relation, column: number): never {
  const name = relation.columns[column]?.name ?? '';
  throw new SluiceError(
    'SOURCE_ENCODING',
    `a value of column ${name} of ${relation.schema}.${relation.name} is not valid UTF-8`,
    { context: { schema: relation.schema, table: relation.name, column: name } },
  );
}
