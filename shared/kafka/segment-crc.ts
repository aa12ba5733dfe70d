import { crc32c } from '@node-rs/crc32';
import type { FetchedRecord, OutgoingRecord } from './interfaces.ts';

type Content = Pick<OutgoingRecord, 'key' | 'value'> | FetchedRecord;

/**
 * The manifest's checksum of a segment: CRC-32C over key bytes and value bytes of each record, in order;
 * an absent key or value adds nothing. Gathered into one buffer, since a native call costs more than the copy.
 * `before`: the checksum of the records that precede these.
 */
export function segmentCrc(records: readonly Content[], before = 0): number {
  let crc = before;
  let at = 0;
  for (const { key, value } of records) {
    const size = (key?.length ?? 0) * MAX_BYTES_PER_UNIT + (value?.length ?? 0);
    if (size > GATHERED - at) {
      crc = crc32c(gathered.subarray(0, at), crc);
      at = 0;
      if (size > GATHERED) {
        crc = direct(crc, key, value);
        continue;
      }
    }
    if (typeof key === 'string') at += gathered.write(key, at);
    else if (key) at += put(key, at);
    if (value) at += put(value, at);
  }
  return crc32c(gathered.subarray(0, at), crc);
}

const GATHERED = 1 << 18;
const MAX_BYTES_PER_UNIT = 3;
const gathered = Buffer.allocUnsafeSlow(GATHERED);

function put(bytes: Buffer, at: number): number {
  gathered.set(bytes, at);
  return bytes.length;
}

function direct(crc: number, key: Buffer | string | null, value: Buffer | null): number {
  const withKey = key === null ? crc : crc32c(Buffer.from(key as Buffer), crc);
  return value === null ? withKey : crc32c(value, withKey);
}
