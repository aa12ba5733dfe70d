import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { setInPlace } from '../../../shared/postgres/read-socket.ts';
import { type CutterOptions, FrameCutter } from './frame-cutter.ts';
import type { OversizedRow } from './oversized-row.ts';
import type { RowChunk } from './row-chunk.ts';

interface CopyConnection {
  readonly stream: Duplex;
  query(text: string): void;
}

type Listener = (bytes: Buffer) => void;

/**
 * A COPY ... TO STDOUT as a query of pg's client. While rows come it reads the socket in pg's place, since a row costs
 * pg a message object and more; everything else that the server sends is handed to pg, which calls the handlers below.
 * The socket is not read while a chunk waits to be taken.
 */
export class CopyOut implements pg.Submittable {
  readonly #text: string;
  readonly #cutter: FrameCutter;
  #chunks: RowChunk[] = [];
  #stream: Duplex | null = null;
  #listeners: readonly Listener[] = [];
  #completed = false;
  #rows: number | null = null;
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  constructor(text: string, options: CutterOptions) {
    this.#text = text;
    this.#cutter = new FrameCutter(options, {
      chunk: (chunk) => this.#chunks.push(chunk),
      other: (bytes) => this.#toPg(bytes),
    });
  }

  /** Of the whole COPY, as the server says at its end. */
  get rows(): number | null {
    return this.#rows;
  }

  /** null: there are no more, or a row that cannot be carried stands in the way. @throws what pg reports */
  async next(): Promise<RowChunk | OversizedRow | null> {
    for (;;) {
      if (this.#failure) throw this.#failure.error;
      const next = this.#chunks.shift() ?? this.#cutter.oversized;
      if (next) return next;
      const changed = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      // Also when all is read: pg's next answer comes on the same socket.
      this.#stream?.resume();
      if (this.#completed) return null;
      await changed;
    }
  }

  /** What is held goes: nobody asks for more. Before the end the socket is not read any more. */
  discard(): void {
    if (!this.#completed) {
      this.#stream?.removeListener('data', this.#take);
      this.#stream?.pause();
    }
    for (const chunk of this.#chunks) chunk.release();
    this.#chunks = [];
    this.#cutter.discard();
  }

  submit(connection: CopyConnection): void {
    const { stream } = connection;
    this.#stream = stream;
    this.#listeners = stream.listeners('data') as Listener[];
    stream.removeAllListeners('data');
    setInPlace(stream, true);
    stream.on('data', this.#take);
    connection.query(this.#text);
  }

  handleCommandComplete({ text = '' }: { readonly text?: string }): void {
    this.#rows = Number(/^COPY (\d+)$/.exec(text)?.[1]);
  }

  handleReadyForQuery(): void {
    this.#completed = true;
    this.#wake();
  }

  handleError(error: unknown): void {
    this.#detach();
    this.#fail(error);
  }

  readonly #take = (bytes: Buffer): void => {
    try {
      this.#cutter.push(bytes);
    } catch (error) {
      this.#stream?.pause();
      this.#fail(error);
      return;
    }
    if (this.#chunks.length === 0 && !this.#cutter.oversized) return;
    this.#stream?.pause();
    this.#wake();
  };

  #toPg(bytes: Buffer): void {
    if (this.#cutter.ended) this.#detach();
    for (const listener of this.#listeners) listener(bytes);
  }

  #detach(): void {
    const stream = this.#stream;
    if (!stream?.listeners('data').includes(this.#take)) return;
    stream.removeListener('data', this.#take);
    setInPlace(stream, false);
    for (const listener of this.#listeners) stream.on('data', listener);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }
}
