import { AvroReader } from './avro-binary.ts';
import { type ColumnValue, type TableShape, type Tuple, UNKNOWN } from './change-event.ts';
import { type ColumnKind, columnKind, readValue } from './column-value.ts';

/** How the columns of a table lie in an event: the same object for all events of a shape. */
export class RowLayout {
  readonly shape: TableShape;
  readonly kinds: readonly ColumnKind[];

  constructor(shape: TableShape) {
    this.shape = shape;
    this.kinds = shape.columns.map(({ typeOid }) => columnKind(typeOid));
  }

  /** Where the row that starts at `at` ends. @throws RangeError */
  end(bytes: Buffer, at: number): number {
    const { kinds } = this;
    let next = at;
    for (let index = 0; index < kinds.length; index++) next = afterColumn(bytes, next, kinds[index] as ColumnKind);
    return next;
  }
}

const reader = new AvroReader();

/** A row as it lies in an event: its values are read when they are asked for. */
export class PackedRow {
  readonly bytes: Buffer;
  /** Where the first column starts. */
  readonly at: number;
  readonly layout: RowLayout;
  /** 1 for each column that nobody knows; null: all are known. */
  readonly unknown: Uint8Array | null;

  constructor(bytes: Buffer, at: number, layout: RowLayout, unknown: Uint8Array | null) {
    this.bytes = bytes;
    this.at = at;
    this.layout = layout;
    this.unknown = unknown;
  }

  tuple(): Tuple {
    const { kinds } = this.layout;
    reader.start(this.bytes, this.at);
    const tuple: ColumnValue[] = new Array(kinds.length);
    for (let index = 0; index < kinds.length; index++) {
      const value = reader.byte() === 0 ? null : readValue(reader, kinds[index] as ColumnKind);
      tuple[index] = this.unknown?.[index] === 1 ? UNKNOWN : value;
    }
    return tuple;
  }

  /**
   * Something that is equal for two rows of the layout exactly when the columns `key`, in rising order, are; null when
   * one of them is NULL or unknown. No encoding of a value is the beginning of another one, so a number made of few
   * bytes is as good as their text.
   */
  key(key: readonly number[]): number | string | null {
    const { bytes, layout, unknown } = this;
    let at = this.at;
    let column = 0;
    let text = '';
    for (const index of key) {
      if (unknown?.[index] === 1) return null;
      for (; column < index; column++) at = afterColumn(bytes, at, layout.kinds[column] as ColumnKind);
      if (bytes[at] === 0) return null;
      const end = afterColumn(bytes, at, layout.kinds[column] as ColumnKind);
      if (key.length === 1 && end - at <= MOST_NUMBER_BYTES) return asNumber(bytes, at + 1, end);
      text += bytes.toString('latin1', at + 1, end);
      at = end;
      column += 1;
    }
    return text;
  }
}

/** Six bytes are exact in a number, and the byte before them says that there is a value. */
const MOST_NUMBER_BYTES = 7;

function asNumber(bytes: Buffer, from: number, until: number): number {
  let value = 0;
  for (let at = until - 1; at >= from; at--) value = value * 0x100 + (bytes[at] as number);
  return value;
}

function afterColumn(bytes: Buffer, at: number, kind: ColumnKind): number {
  return bytes[at] === 0 ? at + 1 : afterValue(bytes, at + 1, kind);
}

function afterValue(bytes: Buffer, at: number, kind: ColumnKind): number {
  switch (kind) {
    case 'int':
    case 'long':
      return afterVarint(bytes, at);
    case 'double':
      return at + 8;
    case 'boolean':
      return at + 1;
    default:
      return afterSized(bytes, at);
  }
}

/** Past the end a byte is undefined, which ends it too. */
export function afterVarint(bytes: Buffer, at: number): number {
  let next = at;
  while ((bytes[next] as number) >= 0x80) next += 1;
  return next + 1;
}

/** After bytes or a string: a length, then so many bytes. @throws RangeError */
export function afterSized(bytes: Buffer, at: number): number {
  let next = at + 1;
  let length = bytes[at] as number;
  if (length >= 0x80) {
    length &= 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      const byte = bytes[next++] as number;
      length += (byte & 0x7f) * scale;
      if (!(byte >= 0x80)) break;
    }
  }
  if (length % 2 !== 0) throw new RangeError('a length below zero');
  return next + length / 2;
}
