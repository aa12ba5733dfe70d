import type { BytePool } from './byte-pool.ts';

/** From here on a buffer grows by little, and only as far as it must. */
const LARGE_BYTES = 1024 * 1024;

/**
 * Bytes being written, up to `at`, in a buffer that grows. A writer may keep `buffer` and `at` in fields of its own for
 * a while; it gives `at` back, and looks up `buffer` again after every `reserve`.
 */
export class GrowingBytes {
  buffer: Buffer;
  at = 0;
  readonly pool: BytePool | null;

  /** `pool`: where its buffers come from; the last one is given back by who made this. */
  constructor(size: number, pool: BytePool | null = null) {
    this.pool = pool;
    this.buffer = pool ? pool.take(size) : Buffer.allocUnsafeSlow(size);
  }

  /** Makes room for so many bytes behind `at`. */
  reserve(bytes: number): void {
    const needed = this.at + bytes;
    if (needed <= this.buffer.length) return;
    const room = needed > LARGE_BYTES ? Math.ceil(needed * 1.1) : this.buffer.length * 2;
    const size = Math.max(needed, room);
    const larger = this.pool ? this.pool.take(size) : Buffer.allocUnsafeSlow(size);
    this.buffer.copy(larger, 0, 0, this.at);
    this.pool?.give(this.buffer);
    this.buffer = larger;
  }

  /** Zigzag varint of 32 bits; the caller has reserved five bytes. */
  varint(value: number): void {
    this.at = putVarint(this.buffer, this.at, value);
  }
}

/** Writes a zigzag varint of 32 bits and says where it ends. */
export function putVarint(buffer: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  while (rest > 0x7f) {
    buffer[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[at++] = rest;
  return at;
}
