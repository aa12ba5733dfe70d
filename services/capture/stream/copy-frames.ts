import type { Duplex } from 'node:stream';
import { SluiceError } from '../../../shared/errors.ts';

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
  /** Bytes of a message that is not whole. */
  #parts: Buffer[] = [];
  #partBytes = 0;
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
    this.#parts = [];
    this.#socket.resume();
  }

  readonly #read = (bytes: Buffer): void => {
    if (this.#ended) return;
    try {
      // What a stream had read before it was paused may still come.
      if (this.#paused) this.#rest = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
      else this.#walk(this.#parts.length > 0 ? this.#completed(bytes) : bytes);
    } catch (error) {
      this.end();
      this.#onFailed(error);
    }
  };

  /** The first message is put together before the others are looked at, so that a large one is copied once. */
  #completed(bytes: Buffer): Buffer {
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
    const first = this.#parts[0]!;
    if (first.length < HEADER) {
      const joined = Buffer.concat(this.#parts, this.#partBytes);
      this.#parts = [joined];
      if (joined.length < HEADER) return NOTHING;
    }
    if (this.#partBytes < this.#parts[0]!.readUInt32BE(1) + 1) return NOTHING;
    const whole = Buffer.concat(this.#parts, this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    return whole;
  }

  #walk(bytes: Buffer): void {
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      if (bytes[at] !== COPY_DATA) this.#parse(bytes.subarray(at, end));
      else if (!this.#take(bytes, at + HEADER, end)) {
        this.#keepRest(bytes, at);
        return;
      }
      at = end;
      if (this.#ended) return;
      if (this.#paused) {
        this.#keepRest(bytes, at);
        return;
      }
    }
    if (at === bytes.length) return;
    // Copied where little of much is left, so that it does not hold the whole.
    const part = Buffer.from(bytes.subarray(at));
    this.#parts = [part];
    this.#partBytes = part.length;
  }

  #keepRest(bytes: Buffer, at: number): void {
    if (at < bytes.length) this.#rest = bytes.subarray(at);
  }
}

const NOTHING = Buffer.alloc(0);
