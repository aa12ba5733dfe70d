/** Whole rows of COPY text, each ending with \n. */
export interface RowChunk {
  readonly bytes: Buffer;
  readonly rows: number;
}

const NEWLINE = 0x0a;

/**
 * Cuts COPY text into chunks at row ends. A newline byte ends a row and nothing else: inside a value COPY writes \n
 * as two characters, and no byte of a longer UTF-8 character has its value.
 * A chunk is at least `target` bytes, unless it is the last or a larger row follows, and at most the larger of
 * `target` and one row, and one push more.
 */
export class RowCutter {
  readonly #target: number;
  #parts: Buffer[] = [];
  #size = 0;
  #rows = 0;
  /** Where the last whole row ends. */
  #end = 0;

  constructor(target: number) {
    this.#target = target;
  }

  /** Bytes held back. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of the row that is not whole yet. */
  get pendingSize(): number {
    return this.#size - this.#end;
  }

  /** Of the row that is not whole yet. */
  get pending(): Buffer {
    return Buffer.concat(this.#parts, this.#size).subarray(this.#end);
  }

  push(bytes: Buffer): RowChunk | null {
    const newline = bytes.lastIndexOf(NEWLINE);
    if (newline !== -1) {
      this.#rows += countNewlines(bytes);
      this.#end = this.#size + newline + 1;
    }
    this.#parts.push(bytes);
    this.#size += bytes.length;
    return this.#size >= this.#target && this.#end > 0 ? this.#cut() : null;
  }

  /** What is left; null when there is nothing. */
  end(): RowChunk | null {
    return this.#end > 0 ? this.#cut() : null;
  }

  #cut(): RowChunk {
    const all = Buffer.concat(this.#parts, this.#size);
    const chunk = { bytes: all.subarray(0, this.#end), rows: this.#rows };
    // Copied, so that the rest does not keep the chunk's memory alive.
    const rest = Buffer.from(all.subarray(this.#end));
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    this.#rows = 0;
    this.#end = 0;
    return chunk;
  }
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
