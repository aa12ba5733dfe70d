import type {
  Change,
  ChangeEvent,
  ColumnShape,
  EventTransaction,
  ReplicaIdentity,
  TableShape,
  Tuple,
} from '../../shared/envelope/change-event.ts';
import { EnvelopeDecoder } from '../../shared/envelope/event-decoder.ts';
import { EnvelopeEncoder } from '../../shared/envelope/event-encoder.ts';
import { EventScanner } from '../../shared/envelope/event-scanner.ts';
import type { PackedEvent } from '../../shared/envelope/packed-event.ts';
import type { Lsn } from '../../shared/postgres/lsn.ts';
import { encodeEvent } from './outgoing-events.ts';

/** Columns as `id* int`, `note text`: the star marks the row key. */
export function tableShape(
  name: string,
  columns: readonly string[],
  identity: ReplicaIdentity = 'default',
): TableShape {
  return {
    schema: 'public',
    name,
    oid: 1,
    identity,
    columns: columns.map((text): ColumnShape => {
      const [column = '', ...type] = text.split(' ');
      const key = column.endsWith('*');
      return { name: key ? column.slice(0, -1) : column, typeOid: 25, typmod: -1, type: type.join(' '), key };
    }),
  };
}

export const insert = (after: Tuple): Change => ({ op: 'c', before: null, after });
export const update = (after: Tuple, before: Tuple | null = null): Change => ({ op: 'u', before, after });
export const remove = (before: Tuple, moved = false): Change => ({ op: 'd', before, after: null, moved });
export const truncate = (tables: readonly TableShape[], restartIdentity = false): Change => ({
  op: 't',
  before: null,
  after: null,
  truncate: { tables: tables.map(({ schema, name }) => ({ schema, name })), restartIdentity },
});

/** Events of source transactions in commit order, with the dense positions that a capture would give. */
export class EventLog {
  #position = 0n;
  #commit = 1000n;

  /** One source transaction. */
  transaction(changes: readonly (readonly [TableShape, Change])[]): ChangeEvent[] {
    this.#commit += 100n;
    const commitLsn = this.#commit as Lsn;
    const transaction: EventTransaction = { xid: Number(this.#commit), commitLsn, commitTime: this.#commit * 1000n };
    return changes.map(([shape, change], index): ChangeEvent => {
      this.#position += 1n;
      const order = BigInt(index + 1);
      const place = { position: this.#position, ordinal: order, totalOrder: order, tableOrder: order };
      return { shape, transaction, lsn: (commitLsn - 50n) as Lsn, ...place, ...change };
    });
  }
}

const origin = { task: 'test', incarnation: 'i', epoch: 'e', database: 'db', timeline: 1 };
const codecs = new WeakMap<TableShape, { encoder: EnvelopeEncoder; scanner: EventScanner }>();

/** As a sink has them. */
export function packed(events: readonly ChangeEvent[]): PackedEvent[] {
  return events.map((event) => {
    const { encoder, scanner } = codecs.get(event.shape) ?? {
      encoder: new EnvelopeEncoder(event.shape, 1, origin),
      scanner: new EventScanner(new EnvelopeDecoder(event.shape)),
    };
    codecs.set(event.shape, { encoder, scanner });
    const bytes = encodeEvent(encoder, event);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return scanner.scan(bytes, view, 0, bytes.length);
  });
}
