import { type ChangeEvent, type ColumnValue, type Tuple, UNKNOWN } from '../../shared/envelope/change-event.ts';
import type { EventEncoder } from '../../shared/envelope/codec.ts';
import type { OutgoingEvent } from '../../shared/envelope/outgoing-event.ts';
import { TEXT, UNCHANGED, WireTuple } from '../../shared/envelope/wire-tuple.ts';
import { GrowingBytes } from '../../shared/kafka/growing-bytes.ts';

/** The values as they lie in a message; `padding` bytes stand before each. */
export function wireTuple(values: Tuple, padding = 3): WireTuple {
  const texts = values.map((value) => Buffer.from(typeof value === 'string' ? value : ''));
  const tuple = new WireTuple();
  tuple.reset(Buffer.concat(texts.flatMap((text) => [Buffer.alloc(padding, 0xff), text])), values.length);
  let at = 0;
  for (const [column, value] of values.entries()) {
    const start = at + padding;
    at = start + texts[column]!.length;
    if (value === UNKNOWN) tuple.setUnknown(column);
    else if (value === null) tuple.setNull(column);
    else tuple.setText(column, start, at);
  }
  return tuple;
}

export function valuesOf(tuple: WireTuple): ColumnValue[] {
  return Array.from({ length: tuple.length }, (_, column) => {
    const kind = tuple.kinds[column];
    return kind === TEXT ? tuple.text(column) : kind === UNCHANGED ? UNKNOWN : null;
  });
}

export function outgoing(event: ChangeEvent): OutgoingEvent {
  const { op, before, after, transaction, lsn, position, ordinal, totalOrder, tableOrder } = event;
  return {
    ...{ op, transaction, lsn, position, ordinal, totalOrder, tableOrder },
    before: before && wireTuple(before),
    after: after && wireTuple(after),
    moved: op === 'd' && event.moved,
    truncate: op === 't' ? event.truncate : null,
  };
}

/** The value of the event's record. */
export function encodeEvent(encoder: EventEncoder, event: ChangeEvent): Buffer {
  const out = new GrowingBytes(1);
  encoder.encode(outgoing(event), out);
  return Buffer.from(out.buffer.subarray(0, out.at));
}

/** As a receiver of a TransactionAssembler keeps an event: its tuples are gone with the call. */
export function kept(event: OutgoingEvent) {
  const { before, after, ...rest } = event;
  return { ...rest, before: before && valuesOf(before), after: after && valuesOf(after) };
}
