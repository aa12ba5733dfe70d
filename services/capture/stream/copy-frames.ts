import type { Duplex } from 'node:stream';
import { SluiceError } from '../../../shared/errors.ts';
import { setInPlace } from '../../../shared/postgres/read-socket.ts';

/** Kind and length, which counts itself. */
const HEADER = 5;
const COPY_DATA = 0x64; // d

/**
 * Takes the bytes of CopyData messages; they are valid during the call only. False: it cannot be taken now; it is given
 * again after `resume`, for which the taker sees.
 */
export type FrameTaker = (bytes: Buffer, start: number, end: number) => boolean;

/**
 * Reads a session's socket in the place of pg's parser, which makes objects and an event of every message: CopyData
 * goes to the taker at once and in order, all else to the parser, message by message.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class CopyFrames {
  readonly #socket: Duplex;
  readonly #parse: (bytes: Buffer) => void;
  readonly #take: FrameTaker;
  readonly #onFailed: (error: unknown) => void;
  /** A message that is not whole: as large as what is known of it, its header or all. */
  #begun: Buffer | null = null;
  #filled = 0;
  /** What came and is not taken, while paused. */
  #rest: Buffer | null = null;
  #paused = false;
  #ended = false;

  /** @throws SluiceError INTERNAL when the session is not read by exactly one listener, as pg does it */
  constructor(socket: Duplex, take: FrameTaker, onFailed: (error: unknown) => void) {
    const [parse, ...more] = socket.listeners('data') as ((bytes: Buffer) => void)[];
    if (!parse || more.length > 0) throw new SluiceError('INTERNAL', 'the driver does not read its socket as expected');
    this.#socket = socket;
    this.#parse = parse;
    this.#take = take;
    this.#onFailed = onFailed;
    socket.removeListener('data', parse);
    setInPlace(socket, true);
    socket.on('data', this.#read);
  }

  /** Nothing is taken any more until `resume`, and the socket is not read: the server keeps what it has. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const rest = this.#rest;
    this.#rest = null;
    if (rest) this.#read(rest);
    if (!this.#paused) this.#socket.resume();
  }

  /** Takes no more, and lets what the server still sends pass by. */
  end(): void {
    this.#ended = true;
    this.#rest = null;
    this.#begun = null;
    this.#socket.resume();
  }

  readonly #read = (bytes: Buffer): void => {
    if (this.#ended) return;
    try {
      // What a stream had read before it was paused may still come.
      if (this.#paused) this.#rest = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
      else this.#walk(bytes, this.#begun ? this.#complete(bytes) : 0);
    } catch (error) {
      this.end();
      this.#onFailed(error);
    }
  };

  /** Makes the message that has begun whole, and gives it; how far the bytes are used. */
  #complete(bytes: Buffer): number {
    const at = this.#fill(bytes);
    const message = this.#begun!;
    if (this.#filled < message.length) return at;
    this.#begun = null;
    if (this.#give(message, 0, message.length)) return at;
    this.#rest = Buffer.concat([message, bytes.subarray(at)]);
    return bytes.length;
  }

  #fill(bytes: Buffer): number {
    let at = 0;
    for (;;) {
      const begun = this.#begun!;
      const part = bytes.subarray(at, at + begun.length - this.#filled);
      begun.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      const size = this.#filled < HEADER ? HEADER : messageSize(begun, 0);
      if (size === begun.length) return at;
      this.#begun = Buffer.allocUnsafe(size);
      begun.copy(this.#begun);
    }
  }

  #walk(bytes: Buffer, from: number): void {
    let at = from;
    while (!this.#ended && !this.#paused) {
      const left = bytes.length - at;
      const size = left < HEADER ? HEADER : messageSize(bytes, at);
      if (left < size) {
        this.#begin(bytes, at, size);
        return;
      }
      if (!this.#give(bytes, at, at + size)) break;
      at += size;
    }
    if (!this.#ended && at < bytes.length) this.#rest = bytes.subarray(at);
  }

  /** False when it cannot be taken now. */
  #give(bytes: Buffer, at: number, end: number): boolean {
    if (bytes[at] === COPY_DATA) return this.#take(bytes, at + HEADER, end);
    this.#parse(bytes.subarray(at, end));
    return true;
  }

  /** Copied, so that it does not hold the whole, whose memory may be read into again. */
  #begin(bytes: Buffer, at: number, size: number): void {
    if (at === bytes.length) return;
    this.#begun = Buffer.allocUnsafe(size);
    this.#filled = bytes.copy(this.#begun, 0, at);
  }
}

/** Of a message with its kind and its length. */
function messageSize(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 1) + 1;
}
