/** Whole rows of COPY text, each ending with \n. */
export interface RowChunk {
  readonly bytes: Buffer;
  readonly rows: number;
  /** To be called when nobody reads `bytes` any more: its memory is written again. */
  release(): void;
}

/** Memory of chunks of the usual size, used again and again: to give it back and get it anew costs more than to fill it. */
export class ChunkBuffers {
  readonly #bytes: number;
  readonly #most: number;
  readonly #free: Buffer[] = [];

  /** `bytes`: of a usual one. `most`: of them that are kept while nobody uses them. */
  constructor(bytes: number, most: number) {
    this.#bytes = bytes;
    this.#most = most;
  }

  /** At least `bytes` large. */
  take(bytes: number): Buffer {
    if (bytes > this.#bytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  give(buffer: Buffer): void {
    if (buffer.length === this.#bytes && this.#free.length < this.#most) this.#free.push(buffer);
  }
}
