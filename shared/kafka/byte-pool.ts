const SMALLEST_BYTES = 4 * 1024;
const LARGEST_BYTES = 1024 * 1024;

/**
 * Buffers that are used again and again, of a few sizes: to get memory from the system and to give it back costs
 * more than to fill it.
 */
export class BytePool {
  readonly #mostBytes: number;
  readonly #free = new Map<number, Buffer[]>();
  #bytes = 0;

  /** `mostBytes`: that are kept while nobody uses them. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** At least `bytes` large, of any content. */
  take(bytes: number): Buffer {
    if (bytes > LARGEST_BYTES) return Buffer.allocUnsafeSlow(bytes);
    const size = sizeFor(bytes);
    const free = this.#free.get(size)?.pop();
    if (!free) return Buffer.allocUnsafeSlow(size);
    this.#bytes -= size;
    return free;
  }

  /** Nobody reads or writes the buffer any more; it came from `take`. */
  give(buffer: Buffer): void {
    const { length } = buffer;
    if (length > LARGEST_BYTES || this.#bytes + length > this.#mostBytes) return;
    this.#bytes += length;
    const free = this.#free.get(length);
    if (free) free.push(buffer);
    else this.#free.set(length, [buffer]);
  }
}

/** A power of two, or half more than one. */
function sizeFor(bytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < bytes) size *= 2;
  const between = size * 0.75;
  return between < bytes || between < SMALLEST_BYTES ? size : between;
}
