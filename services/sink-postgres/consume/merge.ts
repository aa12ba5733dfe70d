import type { PackedEvent } from '../../../shared/envelope/packed-event.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { CountedBatch } from './feed-item.ts';

/**
 * Brings the events of a batch's segments into the order of their positions.
 * Within a segment positions rise, all of them lie within the batch, and none stands twice; `dense`: none is missing.
 * @throws SluiceError SEGMENT_BROKEN
 */
export function mergeSegments(batch: CountedBatch, segments: readonly PackedEvent[][], dense: boolean): PackedEvent[] {
  if (segments.length === 1) return single(batch, segments[0]!, dense);
  const [first, last] = bounds(batch);
  const slots = new Array<PackedEvent | undefined>(last - first + 1);
  let filled = 0;
  for (const events of segments) {
    checkOrder(batch, events);
    for (const event of events) {
      const slot = event.position - first;
      if (slots[slot]) broken(batch, `position ${event.position} stands twice`);
      slots[slot] = event;
      filled++;
    }
  }
  checkDense(batch, filled, dense);
  return filled === slots.length ? (slots as PackedEvent[]) : slots.filter((event) => event !== undefined);
}

function single(batch: CountedBatch, events: PackedEvent[], dense: boolean): PackedEvent[] {
  checkOrder(batch, events);
  checkDense(batch, events.length, dense);
  return events;
}

function checkOrder(batch: CountedBatch, events: readonly PackedEvent[]): void {
  const [first, last] = bounds(batch);
  let previous = first - 1;
  for (const { position } of events) {
    if (position <= previous) broken(batch, `position ${position} follows position ${previous}`);
    previous = position;
  }
  if (previous > last) broken(batch, `position ${previous} is past its last, ${last}`);
}

function checkDense(batch: CountedBatch, found: number, dense: boolean): void {
  const [first, last] = bounds(batch);
  const listed = last - first + 1;
  if (dense && found !== listed) broken(batch, `${found} of its ${listed} positions are there`);
}

/** Events have positions that are exact as numbers; a batch has no other ones. */
function bounds({ record }: CountedBatch): [first: number, last: number] {
  return [Number(record.first), Number(record.last)];
}

function broken({ offset, record }: CountedBatch, why: string): never {
  throw new SluiceError('SEGMENT_BROKEN', `batch ${record.batch}: ${why}`, {
    context: { offset, batch: record.batch },
  });
}
