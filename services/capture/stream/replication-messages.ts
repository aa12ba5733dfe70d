import type { Lsn } from '../../../shared/postgres/lsn.ts';

/**
 * The messages inside copy-both mode.
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */

/** Bytes before the payload of XLogData: kind, start, end, time. */
export const WAL_MESSAGE_HEADER = 25;

/** Of the upper half of an LSN: below it the whole is exact as a number. */
const EXACT_HIGH = 2 ** 20;

/** A number where that is exact: a bigint for each message would cost more than to decode it. */
export function walMessageLsn(bytes: Buffer, start: number): number | bigint {
  const high = bytes.readUInt32BE(start + 1);
  if (high < EXACT_HIGH) return high * 2 ** 32 + bytes.readUInt32BE(start + 5);
  return bytes.readBigUInt64BE(start + 1);
}

export function readKeepalive(bytes: Buffer, start: number): { walEnd: Lsn; replyRequested: boolean } {
  return { walEnd: bytes.readBigUInt64BE(start + 1) as Lsn, replyRequested: bytes[start + 17] === 1 };
}

/** Milliseconds from 1970 to PostgreSQL's epoch, 2000-01-01. */
const POSTGRES_EPOCH = 946_684_800_000;

/** Written, flushed and applied up to `lsn` itself: an end LSN is one past the last byte already. */
export function standbyStatus(lsn: Lsn, replyRequested: boolean): Buffer {
  const status = Buffer.alloc(34);
  status[0] = 0x72; // r
  for (const at of [1, 9, 17]) status.writeBigUInt64BE(lsn, at);
  status.writeBigInt64BE(BigInt(Date.now() - POSTGRES_EPOCH) * 1000n, 25);
  status[33] = replyRequested ? 1 : 0;
  return status;
}
