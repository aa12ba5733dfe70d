/**
 * A position in PostgreSQL's write-ahead log: an unsigned 64-bit byte offset.
 * Text (`16/B374D848`) only at the edges.
 * @see https://www.postgresql.org/docs/current/datatype-pg-lsn.html
 */
export type Lsn = bigint & { readonly __lsn: unique symbol };

const TEXT = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

export const ZERO_LSN = 0n as Lsn;

export function lsnFromBigint(value: bigint): Lsn {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`not an LSN: ${value}`);
  return value as Lsn;
}

/** @throws RangeError when the text is not `XXXXXXXX/XXXXXXXX` in hexadecimal. */
export function parseLsn(text: string): Lsn {
  const match = TEXT.exec(text);
  if (!match) throw new RangeError(`not an LSN: ${JSON.stringify(text)}`);
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

export function maxLsn(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}
