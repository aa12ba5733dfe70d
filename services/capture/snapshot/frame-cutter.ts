import { SluiceError } from '../../../shared/errors.ts';
import { OversizedRow } from './oversized-row.ts';
import type { ChunkBuffers, RowChunk } from './row-chunk.ts';

/** Kind and length. @see https://www.postgresql.org/docs/current/protocol-message-formats.html */
const HEADER = 5;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const ERROR_RESPONSE = 0x45;
const NEWLINE = 0x0a;
/** Bytes taken in at once; what a chunk buffer has room for beyond its target. */
export const PIECE_BYTES = 64 * 1024;

export interface CutterOptions {
  /** Bytes of a chunk, about. */
  readonly target: number;
  /** Bytes of the largest row that can be carried; well above the target. */
  readonly largest: number;
  /** Places of the key's columns in a row. */
  readonly keyColumns: readonly number[];
  /** Of at least `target` and two pieces. */
  readonly buffers: ChunkBuffers;
}

export interface CutterReceiver {
  chunk(chunk: RowChunk): void;
  /** Bytes that are not of the COPY's rows, in order. */
  other(bytes: Buffer): void;
}

/**
 * Cuts what the server sends during a COPY TO STDOUT in text format into chunks of whole rows. Each row comes in a
 * CopyData message of its own; chunks hold the rows without the messages' headers:
 *
 *   buffer   | row row row |      | d length row, d length ro
 *                          packed raw                        filled
 *
 * A chunk is at least `target` bytes, unless it is the last or a larger row follows, and less than `target`, one row and
 * one piece together.
 */
export class FrameCutter {
  readonly #options: CutterOptions;
  readonly #receiver: CutterReceiver;
  #buffer: Buffer | null = null;
  #packed = 0;
  #raw = 0;
  #filled = 0;
  #rows = 0;
  /** Of the row that is measured and not kept. */
  #left = 0;
  #oversized: OversizedRow | null = null;
  #ended = false;

  constructor(options: CutterOptions, receiver: CutterReceiver) {
    this.#options = options;
    this.#receiver = receiver;
  }

  /** The rows have ended, all given as chunks; what comes now is not for the cutter. */
  get ended(): boolean {
    return this.#ended;
  }

  /** A row that cannot be carried, read to its end: the cutter is of no use any more. */
  get oversized(): OversizedRow | null {
    return this.#left === 0 ? this.#oversized : null;
  }

  /** @throws SluiceError INTERNAL when it is no answer to a COPY TO */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.length <= PIECE_BYTES ? bytes : bytes.subarray(at, at + PIECE_BYTES);
      if (this.#ended) this.#receiver.other(Buffer.from(piece));
      else if (this.#oversized) this.#measure(piece);
      else this.#take(piece);
    }
  }

  /** Gives up what is held: the reading is over. */
  discard(): void {
    if (this.#buffer) this.#options.buffers.give(this.#buffer);
    this.#buffer = null;
  }

  #take(piece: Buffer): void {
    const buffer = this.#room();
    buffer.set(piece, this.#filled);
    this.#filled += piece.length;
    for (;;) {
      this.#packRows(buffer);
      if (!this.#passOther(buffer)) break;
    }
    if (this.#ended) return;
    if (this.#isTooLarge()) this.#startMeasuring();
    else if (this.#packed >= this.#options.target) this.#cut();
  }

  /** The hot loop: a row costs one move within the buffer. */
  #packRows(buffer: Buffer): void {
    let packed = this.#packed;
    let raw = this.#raw;
    let rows = 0;
    while (raw + HEADER <= this.#filled && buffer[raw] === COPY_DATA) {
      const end = raw + 1 + lengthAt(buffer, raw);
      if (end > this.#filled) break;
      buffer.copyWithin(packed, raw + HEADER, end);
      packed += end - raw - HEADER;
      if (buffer[packed - 1] !== NEWLINE || end <= raw + HEADER) throw broken('a row of COPY text without a line end');
      raw = end;
      rows += 1;
    }
    this.#packed = packed;
    this.#raw = raw;
    this.#rows += rows;
  }

  /** A whole message that is no row is handed on; whether something may follow it. */
  #passOther(buffer: Buffer): boolean {
    const raw = this.#raw;
    if (raw + HEADER > this.#filled || buffer[raw] === COPY_DATA) return false;
    const end = raw + 1 + lengthAt(buffer, raw);
    if (buffer[raw] === COPY_DONE || buffer[raw] === ERROR_RESPONSE) {
      this.#end(buffer);
      return false;
    }
    if (end > this.#filled) return false;
    this.#receiver.other(Buffer.from(buffer.subarray(raw, end)));
    this.#raw = end;
    return true;
  }

  #end(buffer: Buffer): void {
    const rest = Buffer.from(buffer.subarray(this.#raw, this.#filled));
    this.#raw = this.#filled;
    this.#ended = true;
    this.#cut();
    this.discard();
    this.#receiver.other(rest);
  }

  /** A buffer with room for the message that has begun, and a piece more. */
  #room(): Buffer {
    if (this.#packed > 0 && this.#packed + this.#needed() > this.#buffer!.length) this.#cut();
    const needed = this.#packed + this.#needed();
    if (!this.#buffer || needed > this.#buffer.length) this.#moveTo(this.#options.buffers.take(needed));
    const buffer = this.#buffer!;
    if (this.#raw > this.#packed) {
      buffer.copyWithin(this.#packed, this.#raw, this.#filled);
      this.#filled -= this.#raw - this.#packed;
      this.#raw = this.#packed;
    }
    return buffer;
  }

  #needed(): number {
    const begun = this.#filled - this.#raw;
    const message = begun >= HEADER ? 1 + lengthAt(this.#buffer!, this.#raw) : 0;
    return Math.max(begun, message) + PIECE_BYTES;
  }

  /** Of a buffer without rows, if there is one. */
  #moveTo(to: Buffer): void {
    const old = this.#buffer;
    this.#buffer = to;
    if (!old) return;
    this.#filled = old.copy(to, 0, this.#raw, this.#filled);
    this.#raw = 0;
    this.#options.buffers.give(old);
  }

  /** Makes a chunk of the rows; what follows them stays. */
  #cut(): void {
    const old = this.#buffer;
    if (!old || this.#packed === 0) return;
    const { buffers } = this.#options;
    const bytes = old.subarray(0, this.#packed);
    const rows = this.#rows;
    this.#packed = 0;
    this.#rows = 0;
    // A small one is copied, so that what waits to be published takes about as much memory as it has bytes.
    const small = bytes.length * 2 <= old.length;
    const chunk = small
      ? { bytes: Buffer.from(bytes), rows, release: () => undefined }
      : { bytes, rows, release: () => buffers.give(old) };
    if (!small) {
      this.#buffer = buffers.take(this.#needed());
      this.#filled = old.copy(this.#buffer, 0, this.#raw, this.#filled);
      this.#raw = 0;
    }
    this.#receiver.chunk(chunk);
  }

  #isTooLarge(): boolean {
    if (this.#filled - this.#raw < HEADER || this.#buffer![this.#raw] !== COPY_DATA) return false;
    return lengthAt(this.#buffer!, this.#raw) - (HEADER - 1) > this.#options.largest;
  }

  #startMeasuring(): void {
    const buffer = this.#buffer!;
    this.#oversized = new OversizedRow(this.#options.keyColumns);
    this.#left = lengthAt(buffer, this.#raw) - (HEADER - 1);
    this.#measure(buffer.subarray(this.#raw + HEADER, this.#filled));
    this.discard();
  }

  #measure(bytes: Buffer): void {
    const row = bytes.subarray(0, this.#left);
    this.#oversized?.push(row);
    this.#left -= row.length;
  }
}

/** Of a message without its kind, itself included. */
function lengthAt(buffer: Buffer, at: number): number {
  const length = (buffer[at + 1]! << 24) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 8) | buffer[at + 4]!;
  if (length < HEADER - 1) throw broken(`a message of length ${length}`);
  return length;
}

function broken(what: string): SluiceError {
  return new SluiceError('INTERNAL', `${what} stands in the answer to a COPY`);
}
