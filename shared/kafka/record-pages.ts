import { crc32c } from '@node-rs/crc32';
import { type RangeRecords, recordsGone } from './range-records.ts';
import { type OffsetRange, openBatch } from './record-batch.ts';
import { WireReader } from './wire.ts';

/**
 * Records of consecutive offsets as places in one buffer, for readers of very many: an object and two views for each
 * record would cost more than all that is done with them.
 */
export interface RecordPage {
  readonly bytes: Buffer;
  /** Of the first record. */
  readonly offset: bigint;
  readonly count: number;
  /** Of each record: start and end of its key, start and end of its value. The same for none; a value of none starts at -1. */
  readonly bounds: Int32Array;
  /** Keys and values follow each other without a gap. */
  readonly dense: boolean;
}

export const PLACES = 4;

/** Larger records stay where they are: moving them would cost more than to look at each by itself. */
const MOST_MOVED_BYTES = 16 * 1024;

/** A page for each batch. A batch whose last record is taken is used up: it cannot be read in that log again. */
export class RecordPages implements RangeRecords {
  readonly pages: RecordPage[] = [];
  count = 0;

  take(log: Buffer, at: number, range: OffsetRange): number {
    const batch = openBatch(log, at, range);
    const first = Number(range.from - batch.baseOffset);
    const until = Number(range.until - batch.baseOffset);
    const dense = batch.records.length <= batch.count * MOST_MOVED_BYTES;
    // Of a batch that is used up the records may be moved where they are.
    const usedUp = batch.unzipped || batch.lastOffset < range.until;
    const bytes = dense && !usedUp ? Buffer.from(batch.records) : batch.records;
    const bounds = new Int32Array(Math.min(batch.count, until) * PLACES);
    const reader = new WireReader(bytes);
    let place = 0;
    let end = 0;
    let wanted = first;
    for (let index = 0; index < batch.count; index++) {
      const length = reader.varint();
      const next = reader.at + length;
      reader.at += 1;
      reader.varint();
      const delta = reader.varint();
      if (delta >= until) break;
      if (delta >= first) {
        if (delta !== wanted)
          throw recordsGone(range, batch.baseOffset + BigInt(wanted), batch.baseOffset + BigInt(delta));
        wanted += 1;
        const keyBytes = Math.max(0, reader.varint());
        const key = reader.skip(keyBytes);
        const valueBytes = reader.varint();
        const value = reader.skip(Math.max(0, valueBytes));
        if (dense) {
          move(bytes, key, keyBytes, end);
          move(bytes, value, valueBytes, end + keyBytes);
        }
        const keyAt = dense ? end : key;
        const valueAt = dense ? end + keyBytes : value;
        bounds[place] = keyAt;
        bounds[place + 1] = keyAt + keyBytes;
        bounds[place + 2] = valueBytes < 0 ? -1 : valueAt;
        bounds[place + 3] = valueAt + Math.max(0, valueBytes);
        place += PLACES;
        end = valueAt + Math.max(0, valueBytes);
      }
      reader.at = next;
    }
    const count = wanted - first;
    if (count > 0) this.pages.push({ bytes, offset: range.from, count, bounds, dense });
    this.count += count;
    return count;
  }
}

/** Towards the front, past which the reader has gone already. */
function move(bytes: Buffer, from: number, length: number, to: number): void {
  if (length > 0) bytes.copyWithin(to, from, from + length);
}

/** The manifest's checksum over the records `from` to `until` of a page (segment-crc.ts). */
export function pageCrc({ bytes, bounds, dense }: RecordPage, from: number, until: number, before: number): number {
  if (from === until) return before;
  if (dense) return crc32c(bytes.subarray(bounds[from * PLACES], bounds[until * PLACES - 1]), before);
  let crc = before;
  for (let place = from * PLACES; place < until * PLACES; place += 2) {
    const [start = 0, end = 0] = bounds.subarray(place, place + 2);
    if (start >= 0) crc = crc32c(bytes.subarray(start, end), crc);
  }
  return crc;
}
