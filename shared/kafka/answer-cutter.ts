const LENGTH_BYTES = 4;
/** Announced by a server that speaks something else; no answer that is asked for is as large. */
const LARGEST = 1 << 28;

/**
 * Cuts what a connection reads, in pieces of any size, into answers: four bytes of length, and as many that follow.
 * Each is given away in a buffer of its own, with its length; a piece is copied and may be reused when `take` returns.
 * Of an answer that is too large to be one, the pieces are given away as they come.
 */
export class AnswerCutter {
  readonly #give: (bytes: Buffer) => void;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #lengthAt = 0;
  #answer: Buffer | null = null;
  #at = 0;
  #tooLarge = false;

  constructor(give: (bytes: Buffer) => void) {
    this.#give = give;
  }

  take(piece: Uint8Array): void {
    let from = 0;
    while (from < piece.length && !this.#tooLarge)
      from += this.#answer ? this.#fill(piece, from) : this.#begin(piece, from);
    if (from < piece.length) this.#give(Buffer.from(piece.subarray(from)));
  }

  #begin(piece: Uint8Array, from: number): number {
    const part = piece.subarray(from, from + LENGTH_BYTES - this.#lengthAt);
    this.#length.set(part, this.#lengthAt);
    this.#lengthAt += part.length;
    if (this.#lengthAt < LENGTH_BYTES) return part.length;
    this.#lengthAt = 0;
    const size = this.#length.readInt32BE(0);
    this.#tooLarge = size < 0 || size > LARGEST;
    if (this.#tooLarge) this.#give(Buffer.from(this.#length));
    else this.#open(size);
    return part.length;
  }

  #open(size: number): void {
    this.#answer = Buffer.allocUnsafe(LENGTH_BYTES + size);
    this.#answer.set(this.#length);
    this.#at = LENGTH_BYTES;
    if (size === 0) this.#close(this.#answer);
  }

  #fill(piece: Uint8Array, from: number): number {
    const answer = this.#answer!;
    const part = piece.subarray(from, from + answer.length - this.#at);
    answer.set(part, this.#at);
    this.#at += part.length;
    if (this.#at === answer.length) this.#close(answer);
    return part.length;
  }

  #close(answer: Buffer): void {
    this.#answer = null;
    this.#give(answer);
  }
}
