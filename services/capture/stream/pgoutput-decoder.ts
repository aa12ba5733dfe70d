import { constants as buffer, isUtf8 } from 'node:buffer';
import { WireTuple } from '../../../shared/envelope/wire-tuple.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';
import type {
  DeleteMessage,
  InsertMessage,
  PgoutputMessage,
  Relation,
  RelationColumn,
  UpdateMessage,
} from './pgoutput-message.ts';

/** Microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01. */
const POSTGRES_EPOCH = 946_684_800_000_000n;

const NO_RELATION: Relation = { oid: 0, schema: '', name: '', identity: 'nothing', columns: [] };

const identities = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const;

/**
 * Decodes pgoutput messages of protocol version 1, text format. It remembers the relations that the server
 * described: pgoutput does so before their first change in a session and after each change of shape.
 * Values stay where they are, in bytes that the socket may reuse: messages of rows are for the moment only.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgoutputDecoder {
  readonly #relations = new Map<number, Relation>();
  readonly #before = new WireTuple();
  readonly #after = new WireTuple();
  readonly #inserted: InsertMessage = { type: 'insert', relation: NO_RELATION, after: this.#after };
  readonly #updated: UpdateMessage = { type: 'update', relation: NO_RELATION, before: null, after: this.#after };
  readonly #deleted: DeleteMessage = { type: 'delete', relation: NO_RELATION, before: this.#before };
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #kind: number | undefined;

  /**
   * The message that stands in `bytes` from `start` to `end`.
   * @throws SluiceError SOURCE_PROTOCOL, SOURCE_ENCODING, KAFKA_RECORD_TOO_LARGE
   */
  decode(bytes: Buffer, start = 0, end = bytes.length): PgoutputMessage {
    this.#bytes = bytes;
    this.#at = start + 1;
    this.#end = end;
    this.#kind = start < end ? bytes[start] : undefined;
    const message = this.#message(this.#kind);
    if (this.#at !== end) throw malformed(`${end - this.#at} bytes follow it`, this.#kind);
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

  #insert(): InsertMessage {
    const relation = this.#known(this.#uint32());
    this.#expect(0x4e); // N
    this.#inserted.relation = relation;
    this.#tuple(relation, this.#after);
    return this.#inserted;
  }

  #update(): UpdateMessage {
    const relation = this.#known(this.#uint32());
    let kind = this.#byte();
    const hasOld = kind === 0x4b || kind === 0x4f;
    if (hasOld) {
      this.#oldTuple(relation, kind);
      kind = this.#byte();
    }
    if (kind !== 0x4e) throw malformed('the new tuple is missing', 0x55);
    this.#updated.relation = relation;
    this.#updated.before = hasOld ? this.#before : null;
    this.#tuple(relation, this.#after);
    return this.#updated;
  }

  #delete(): DeleteMessage {
    const relation = this.#known(this.#uint32());
    const kind = this.#byte();
    if (kind !== 0x4b && kind !== 0x4f) throw malformed('the old tuple is missing', 0x44);
    this.#deleted.relation = relation;
    this.#oldTuple(relation, kind);
    return this.#deleted;
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

  #known(oid: number): Relation {
    const relation = this.#relations.get(oid);
    if (!relation) throw malformed(`relation ${oid} was not described before`, this.#kind);
    return relation;
  }

  /** A key-only tuple (K) has NULL where nothing is known: columns outside the replica identity. */
  #oldTuple(relation: Relation, kind: number): void {
    const tuple = this.#before;
    this.#tuple(relation, tuple);
    if (kind !== 0x4b) return;
    for (let i = 0; i < tuple.length; i++) if (!relation.columns[i]?.key) tuple.setUnknown(i);
  }

  #tuple(relation: Relation, tuple: WireTuple): void {
    const count = this.#uint16();
    if (count !== relation.columns.length) {
      throw malformed(`a tuple of ${relation.schema}.${relation.name} has ${count} columns`, this.#kind);
    }
    tuple.reset(this.#bytes, count);
    for (let i = 0; i < count; i++) {
      switch (this.#byte()) {
        case 0x74: {
          // t
          const length = this.#uint32();
          const from = this.#at;
          this.#skip(length);
          if (length > buffer.MAX_STRING_LENGTH) throw tooLarge(relation, i, length);
          tuple.setText(i, from, this.#at);
          break;
        }
        case 0x6e: // n
          tuple.setNull(i);
          break;
        case 0x75: // u
          tuple.setUnknown(i);
          break;
        default:
          throw malformed('a value has an unknown form', this.#kind);
      }
    }
  }

  /** null when the bytes are not valid UTF-8. Node writes U+FFFD for those, which may also stand there rightly. */
  #utf8(from: number, to: number): string | null {
    const text = this.#bytes.toString('utf8', from, to);
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(from, to))) return null;
    return text;
  }

  #name(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0 || end >= this.#end) throw malformed('a name does not end', this.#kind);
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
    const bytes = this.#bytes;
    return ((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) >>> 0;
  }

  #uint16(): number {
    const from = this.#at;
    this.#skip(2);
    return (this.#bytes[from]! << 8) | this.#bytes[from + 1]!;
  }

  #byte(): number {
    const from = this.#at;
    this.#skip(1);
    return this.#bytes[from] as number;
  }

  #expect(kind: number): void {
    if (this.#byte() !== kind) throw malformed('the new tuple is missing', this.#kind);
  }

  #skip(length: number): void {
    this.#at += length;
    if (this.#at > this.#end) throw malformed('it ends too early', this.#kind);
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
